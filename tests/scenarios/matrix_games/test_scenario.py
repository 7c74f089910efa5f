"""Games are played by the trainer spg as any experiment: from files, with resuming."""

import json
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import pytest

from nip.errors import NipError, NipWarning
from nip.parameters import HyperParameters
from nip.run import prepare_experiment, run_experiment
from nip.run_store import Run, read_history
from nip.scenarios.matrix_games.scenario import GAMES
from tests.experiments import make_params, make_settings


@pytest.fixture(autouse=True)
def no_pictures():
    """Skip drawing learning curves, which other tests check."""
    with patch("nip.run_store.report.learning_curve.draw_learning_curve"):
        yield


def game(dataset: str, **changes: Any):
    """Return an experiment with plain gradient descent."""
    changes = {"seed": 0, **changes}
    rl = {"num_iterations": 200, "lr": 1.0, "max_grad_norm": None, "gamma": 0.96}
    protocol = "debate" if dataset == "chain" else "nip"
    return make_params(
        "matrix_games",
        "spg",
        protocol,
        dataset=dataset,
        optimizer=changes.pop("optimizer", {"name": "sgd"}),
        rl={**rl, **changes.pop("rl", {})},
        **changes,
    )


def play(folder: Path, params, run_id: str = "run") -> dict[str, float]:
    settings = make_settings(folder, checkpoint_period=1000)
    return dict(run_experiment(params, run_id=run_id, settings=settings).metrics)


@pytest.mark.parametrize(
    ("variant", "loss"), [("naive", 2.0), ("lookahead", 2.0), ("lola", 1.0), ("sos", 1.0)]
)
def test_the_dilemma_by_exact_gradients(variant, loss, tmp_path):
    spg = {"variant": variant, "anticipation": "mutual"}
    # With seed 0, LOLA cooperates on some processors only.
    metrics = play(tmp_path, game("iterated_prisoners_dilemma", seed=1, spg=spg))
    for player in ("verifier", "prover"):
        assert metrics[f"{player}.exact_loss"] == pytest.approx(loss, abs=0.1)
        assert metrics[f"test_{player}.exact_loss"] == metrics[f"{player}.exact_loss"]
        assert metrics[f"{player}.cooperation"] == pytest.approx(2 - loss, abs=0.1)


def loss_from_rollouts(folder: Path, variant: str, seed: int) -> float:
    """Return the mean loss of both players after they have learnt from rollouts."""
    params = game(
        "iterated_prisoners_dilemma",
        seed=seed,
        spg={"variant": variant, "anticipation": "mutual"},
        matrix_games={"losses": "rollouts", "num_rollouts": 128, "num_rounds": 80},
        rl={"num_iterations": 120},
    )
    metrics = play(folder, params, f"seed{seed}")
    return (metrics["verifier.exact_loss"] + metrics["prover.exact_loss"]) / 2


@pytest.mark.parametrize(("variant", "loss"), [("naive", 2.0), ("lola", 1.0), ("sos", 1.0)])
def test_the_dilemma_by_rollouts(variant, loss, tmp_path):
    assert loss_from_rollouts(tmp_path, variant, seed=0) == pytest.approx(loss, abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["lola", "sos"])
def test_the_dilemma_by_rollouts_from_several_starts(variant, tmp_path):
    losses = [loss_from_rollouts(tmp_path, variant, seed) for seed in range(5)]
    assert median(losses) < 1.05
    # From some starts one player cooperates only every other round.
    assert sum(losses) / len(losses) < 1.2


def test_the_leader_of_a_quadratic_game_and_of_a_chain(tmp_path):
    rl = {"lr": 0.05, "num_iterations": 600}
    spg = {"variant": "spg", "ihvp_rho": 1e-6}
    metrics = play(tmp_path, game("quadratic_stackelberg", rl=rl, spg=spg), "quadratic")
    assert metrics["verifier.exact_loss"] == pytest.approx(2.0, abs=0.03)
    sequence = (("verifier",), ("prover0",), ("prover1",))
    spg = {**spg, "stackelberg_sequence": sequence}
    metrics = play(tmp_path, game("chain", rl=rl, spg=spg), "chain")
    actions = [metrics[f"{name}.action"] for (name,) in sequence]
    assert actions == pytest.approx([-0.2, -0.4, -0.4], abs=0.03)


@pytest.mark.parametrize(("variant", "is_led"), [("spg", True), ("naive", False)])
def test_a_verifier_that_leads_makes_the_prover_show_faults(variant, is_led, tmp_path):
    slow = {"agent_lr_factor": {"actor": 0.05}}
    params = game(
        "commitment",
        seed=1,
        spg={"variant": variant, "ihvp_rho": 0.0001},
        rl={"lr": 0.2, "num_iterations": 300},
        optimizer={"name": "adam"},
        agents={"verifier": {"initial_std": 0.01, **slow}, "prover": {"initial_std": 0.01}},
    )
    metrics = play(tmp_path, params)
    accuracy, disclosure = metrics["verifier.expected_accuracy"], metrics["prover.disclosure"]
    if is_led:
        # The best commitment, by a search over the verifier's policies against best responses.
        assert accuracy == pytest.approx(0.947, abs=0.05)
        assert disclosure == pytest.approx(0.981, abs=0.02)
    else:
        # The only equilibrium of simultaneous play.
        assert accuracy == pytest.approx(2 / 3, abs=0.04) and disclosure < 0.06


@pytest.mark.parametrize("losses", ["exact", "rollouts"])
def test_an_interrupted_game_goes_on_to_the_same_numbers(losses, tmp_path):
    params = game(
        "iterated_prisoners_dilemma",
        matrix_games={"losses": losses, "num_rollouts": 8, "num_rounds": 5},
        spg={"variant": "spg"},
        rl={"num_iterations": 4},
    )
    settings = make_settings(tmp_path)
    run_experiment(params, run_id="once", settings=settings)
    original = Run.log

    def interrupt(self, iteration, metrics):
        if iteration == 3:
            raise KeyboardInterrupt
        original(self, iteration, metrics)

    with patch.object(Run, "log", interrupt), pytest.raises(KeyboardInterrupt):
        run_experiment(params, run_id="twice", settings=settings)
    run_experiment(params, run_id="twice", settings=settings)
    once, twice = (
        {name: history.values(name) for name in history.names()}
        for history in map(read_history, (tmp_path / "once", tmp_path / "twice"))
    )
    assert once == twice
    assert len(once["verifier.exact_loss"]) == 4


def test_another_seed_starts_elsewhere(tmp_path):
    one, other = (
        play(tmp_path, game("tandem", seed=seed, rl={"num_iterations": 1}), f"seed{seed}")
        for seed in (1, 2)
    )
    assert one["verifier.action"] != other["verifier.action"]


def test_a_player_may_be_frozen_or_random(tmp_path):
    frozen = {"verifier": {"agent_lr_factor": {"actor": 0.0}}}
    params = game("tandem", agents=frozen, rl={"num_iterations": 3, "lr": 0.1})
    play(tmp_path, params, "frozen")
    history = read_history(tmp_path / "frozen")
    assert len({value for _, value in history.values("verifier.action")}) == 1
    assert len({value for _, value in history.values("prover.action")}) == 3
    params = game("tandem", agents={"verifier": {"is_random": True}}, rl={"num_iterations": 2})
    assert play(tmp_path, params, "random")["verifier.action"] == 0.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"protocol": "debate"}, "is a game of 2 players.*interaction_protocol='nip'"),
        ({"dataset": "chain"}, "is a game of 3 players.*interaction_protocol='debate'"),
        ({"matrix_games": {"losses": "rollouts"}}, "needs a game with actions"),
        ({"dataset": "poker"}, "with scenario='matrix_games': There is no dataset 'poker'"),
        ({"trainer": "vanilla_ppo"}, "is made of games"),
        *(
            (
                {"callbacks": [name]},
                f"{name} needs networks that play episodes, got scenario='matrix_games', whose "
                "agents are no networks",
            )
            for name in ("attack", "constant_verifier", "label_leak", "silent_prover")
        ),
        (
            {"protocol_common": {"zero_knowledge": True}},
            "zero_knowledge=True needs a trainer of networks.*got scenario='matrix_games'.*False",
        ),
    ],
)
def test_what_does_not_fit_is_refused(changes, message, tmp_path):
    with pytest.raises(NipError, match=message):
        prepare_experiment(
            make_params("matrix_games", **{"trainer": "spg", "protocol": "nip", **changes}),
            settings=make_settings(tmp_path),
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("protocol", "changes", "option"),
    [
        ("nip", {"nip_protocol": {"max_message_rounds": 5}}, "nip_protocol.max_message_rounds"),
        ("debate", {"debate_protocol": {"sequential": True}}, "debate_protocol.sequential"),
        ("mnip", {"mnip_protocol": {"sequential": True}}, "mnip_protocol.sequential"),
        ("nip", {"message_regression": {"enabled": True}}, "message_regression.enabled"),
        ("nip", {"opponent_pool": {"agents": ["prover"]}}, "opponent_pool.agents"),
        (
            "nip",
            {"agents": {"prover": {"agent_lr_factor": {"critic": 0.5}}}},
            "agents.prover.agent_lr_factor.critic",
        ),
    ],
)
def test_what_is_about_messages_and_episodes_is_reported_as_unused(protocol, changes, option):
    with pytest.warns(NipWarning, match=rf"{option}=.* has no effect with scenario='matrix_games'"):
        HyperParameters(
            scenario="matrix_games",
            trainer="spg",
            dataset="tandem",
            interaction_protocol=protocol,
            **changes,
        )


def test_every_game_is_in_the_spec_and_can_be_planned(tmp_path):
    for name in GAMES:
        plan = prepare_experiment(game(name), settings=make_settings(tmp_path))
        assert plan.num_iterations == 201
        assert len(plan.agents) == (3 if name == "chain" else 2)


def test_the_strategies_are_stored_with_the_run(tmp_path):
    play(tmp_path, game("tandem", rl={"num_iterations": 2}))
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["metrics"]["verifier.action"] != 0
    assert list((tmp_path / "run").glob("checkpoints/*"))
