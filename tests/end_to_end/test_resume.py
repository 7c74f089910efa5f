"""A run that was killed at any moment ends with the same numbers as one that was not."""

import json
from dataclasses import dataclass, replace
from functools import cache
from math import log2
from pathlib import Path
from typing import Any

import pytest
import torch

from nip.errors import ResumeError
from nip.parameters import ContiguousPeriodicUpdateSchedule, HyperParameters
from nip.run import run_experiment
from nip.run_store import Checkpoint, read_history
from nip.run_store.checkpoints.checkpoint_folder import CheckpointFolder
from nip.trainers.tensor.weights.checkpointing import checkpoint_state
from tests.end_to_end.everything_on import SETTINGS, everything_on
from tests.end_to_end.processes import KILLED, Start, run_in_processes
from tests.experiments import make_params, make_settings, tiny_graph_agent, trainer_variants

NUM_ITERATIONS = 4


@dataclass(frozen=True)
class Kill:
    """A moment at which a run is killed."""

    code: str
    """What kills it."""

    goes_on_with: int | None
    """The first iteration after the restart; None where it depends on the time."""


KILLS = {
    "after_iteration_2": Kill("die_at_call(Run, 'save_checkpoint', 2, after=True)", 3),
    "in_the_middle_of_saving": Kill("die_in_the_middle_of_saving(3)", 3),
    "logged_but_not_saved": Kill("die_at_call(Run, 'log', 3, after=True)", 3),
    "before_the_first_checkpoint": Kill("die_at_call(Run, 'log', 2, after=True)", 0),
    "in_the_test": Kill("die_at_call(Run, 'log', 5)", NUM_ITERATIONS),
    "saved_but_not_marked": Kill("die_at_call(Run, 'mark_best', 3)", 4),
    "while_pruning": Kill("die_while_pruning()", 3),
    "stopped_but_not_finished": Kill("die_at_call(Run, 'finish', 1)", NUM_ITERATIONS),
    "whenever_saving_is_cheap": Kill("die_at_call(Run, 'log', 3, after=True)", None),
}

OF_ONE_EXPERIMENT = {
    "in_the_middle_of_saving": "toy",
    "logged_but_not_saved": "vanilla_ppo-clip",
    "before_the_first_checkpoint": "pretrained",
    "in_the_test": "reinforce-critic",
    "saved_but_not_marked": "everything-ppo",
    "while_pruning": "everything-ppo",
    "stopped_but_not_finished": "everything-solo",
    "whenever_saving_is_cheap": "vanilla_ppo-clip",
}


def graph_experiment(trainer: str, **changes: Any) -> HyperParameters:
    """Return an experiment with everything that a restart could get wrong.

    Batch norm, dropout, noise, normalised observations, annealing, an agent that pauses, and
    episodes of up to four rounds in batches of three steps.
    """
    agent = tiny_graph_agent(transformer_dropout=0.2, noise_sigma=0.1)
    pausing = replace(agent, update_schedule=ContiguousPeriodicUpdateSchedule(3, 0, 2))
    return make_params(
        "graph_isomorphism",
        trainer,
        "nip",
        agents={"_default": agent, "verifier": pausing},
        rl={
            "rollouts_per_iteration": 5,
            "steps_per_env_per_iteration": 3,
            "num_iterations": NUM_ITERATIONS,
            "anneal_lr": True,
            "use_shared_body": False,
        },
        solo_agent={"num_epochs": NUM_ITERATIONS, "batch_size": 2},
        nip_protocol={"max_message_rounds": 4, "min_message_rounds": 3},
        **changes,
    )


@cache
def experiments() -> dict[str, dict[str, Any]]:
    """Return, as plain data, every way in which every trainer can learn, and much at once."""
    variants = {
        name: graph_experiment(trainer, **changes)
        for name, (trainer, changes) in trainer_variants().items()
    }
    toy = make_params(
        protocol="debate",
        message_size=2,
        include_linear_message_space=True,
        rl={"num_iterations": NUM_ITERATIONS, "steps_per_env_per_iteration": 3},
    )
    # Batches end within episodes that one of two verifiers has left, and networks that read the
    # messages go on from their last weights.
    zero_knowledge = make_params(
        protocol="nip",
        eval_every=1,
        protocol_common={"zero_knowledge": True},
        rl={
            "num_iterations": NUM_ITERATIONS,
            "rollouts_per_iteration": 8,
            "steps_per_env_per_iteration": 3,
        },
        message_regression={"enabled": True, "reset_on_fit": False, "mlp_num_epochs": 1},
    )
    # Snapshots are taken, retired and drawn by their rewards, in episodes longer than a batch.
    alarm = {"warmup": 0, "window": NUM_ITERATIONS, "action": "stop"}
    opponents = make_params(
        protocol="nip",
        opponent_pool={
            "agents": ["prover", "verifier"],
            "snapshot_every": 1,
            "max_size": 1,
            "sampling": "prioritised",
        },
        callbacks=[
            {"name": "constant_verifier", **alarm},
            {"name": "silent_prover", **alarm},
            {"name": "label_leak", "every": 1, **alarm},
        ],
        rl={"num_iterations": NUM_ITERATIONS, "steps_per_env_per_iteration": 3},
    )
    pretrained = graph_experiment("vanilla_ppo", pretrain_agents=True)
    made = {**variants, "opponents": opponents, "pretrained": pretrained, "toy": toy}
    made["zero_knowledge"] = zero_knowledge
    return {name: params.to_dict() for name, params in made.items()} | everything_on()


INTERRUPTED = [
    (experiment, kill)
    for kill in KILLS
    for experiment in experiments()
    if (
        experiment == OF_ONE_EXPERIMENT[kill]
        if kill in OF_ONE_EXPERIMENT
        else experiment not in OF_ONE_EXPERIMENT.values()
    )
]
"""Each experiment is killed at least once, and each moment is that of at least one experiment."""

ALSO_INTERRUPTED = [
    pytest.param(experiment, kill, marks=pytest.mark.slow)
    for kill in ("in_the_middle_of_saving", "after_iteration_2")
    for experiment in experiments()
    if (experiment, kill) not in INTERRUPTED
]


class Runs:
    """Runs of the experiments, each made when it is first asked for.

    Those that are killed go on under another order of sets than those that are not.
    """

    def __init__(self, folder: Path, data_dir: Path) -> None:
        self._folder, self._data_dir = folder, data_dir

    def undisturbed(self, experiment: str) -> Path:
        """Return the folder of a run that nothing has interrupted."""
        folder = self._folder / experiment
        if not folder.exists():
            assert run_in_processes([self._start(experiment, folder)], hash_seed=0) == [0]
        return folder

    def killed(self, experiment: str, name: str) -> Path:
        """Return the folder of a run that was killed and has gone on."""
        kill, folder = KILLS[name], self._folder / f"{experiment}-{name}"
        if not folder.exists():
            period = None if kill.goes_on_with is None else 1
            check = "" if period is None else f"expect_first_iteration({kill.goes_on_with})"
            starts = [self._start(experiment, folder, code, period) for code in (kill.code, check)]
            assert run_in_processes(starts, hash_seed=1) == [KILLED, 0]
        return folder

    def _start(
        self, experiment: str, folder: Path, code: str = "", period: int | None = 1
    ) -> Start:
        # Each run has a cache of its own, so that pretraining is done in each.
        rules = SETTINGS if experiment in everything_on() else {}
        settings = make_settings(folder, self._data_dir, checkpoint_period=period, **rules)
        return Start("run", experiments()[experiment], settings.to_dict(), code)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> Runs:
    """Return runs of the experiments."""
    return Runs(tmp_path_factory.mktemp("runs"), data_dir)


def assert_same_run(first: Path, second: Path) -> None:
    """Compare weights, moments, generators, data position, metrics, and the result."""
    before, after = last_checkpoint(first), last_checkpoint(second)
    assert before.iteration == after.iteration == NUM_ITERATIONS
    assert before.state == after.state
    assert before.tensors.keys() == after.tensors.keys()
    for group, tensors in before.tensors.items():
        assert tensors.keys() == after.tensors[group].keys()
        for name, tensor in tensors.items():
            assert torch.equal(tensor, after.tensors[group][name]), f"{group}: {name}"
    histories = [read_history(folder / "run") for folder in (first, second)]
    assert histories[0].names() == histories[1].names()
    for name in histories[0].names():
        assert histories[0].values(name) == histories[1].values(name)
    results = [
        json.loads((folder / "run" / "result.json").read_text()) for folder in (first, second)
    ]
    assert results[0] == results[1]
    assert results[0]["status"] == "completed"


def left_behind(folder: Path) -> dict[str, bytes]:
    """Return what people read in a run, and the names of its checkpoints."""
    run = folder / "run"
    checkpoints = {path.name: b"" for path in (run / "checkpoints").glob("iteration_*")}
    files = [run / "metrics.csv", run / "checkpoints" / "best.json", *run.glob("rollouts/*")]
    return checkpoints | {path.name: path.read_bytes() for path in files}


def last_checkpoint(folder: Path) -> Checkpoint:
    checkpoint = CheckpointFolder(folder / "run" / "checkpoints").load_latest()
    assert checkpoint is not None
    return checkpoint


@pytest.mark.parametrize(("experiment", "kill"), [*INTERRUPTED, *ALSO_INTERRUPTED])
def test_a_killed_run_ends_with_the_same_numbers_whatever_the_order_of_sets(
    experiment: str, kill: str, runs: Runs
) -> None:
    assert_same_run(runs.undisturbed(experiment), runs.killed(experiment, kill))


@pytest.mark.parametrize(
    ("experiment", "kill"), [entry for entry in INTERRUPTED if entry[0] in everything_on()]
)
def test_a_killed_run_leaves_the_same_behind(experiment: str, kill: str, runs: Runs) -> None:
    expected = left_behind(runs.undisturbed(experiment))
    assert left_behind(runs.killed(experiment, kill)) == expected
    if experiment != "everything-solo":
        # The second is permanent, the third had the highest learning rate, the fourth is the last.
        kept = [name for name in expected if name.startswith("iteration") and "." not in name]
        assert sorted(kept) == [f"iteration_00000{number}" for number in (2, 3, 4)]


def test_what_is_compared_is_everything_that_counts(runs):
    checkpoint = last_checkpoint(runs.undisturbed("vanilla_ppo-kl"))
    assert {
        "agents.prover.body",
        "agents.prover.policy_head",
        "agents.prover.value_body",
        "agents.prover.value_head",
        "agents.verifier.body",
        "learner.optimizer.state",
        "learner.objective",
        "generators",
        "minibatches",
        "normalizer",
        "collector",
    } <= set(checkpoint.tensors)
    state = checkpoint_state(checkpoint)
    assert any(name.endswith("running_var") for name in state["agents"]["verifier"]["body"])
    moments = state["learner"]["optimizer"]["state"]
    assert any(name.endswith(":exp_avg_sq") for name in moments)
    assert state["learner"]["objective"]["kl_beta"].tolist() != [1, 1]
    # Episodes were cut off, so that environments had to be carried over.
    assert state["collector"]["state"]["round"].any()
    assert float(state["normalizer"]["x_std"]) != 1
    history = read_history(runs.undisturbed("vanilla_ppo-kl") / "run")
    iterations = [iteration for iteration, _ in history.values("learning_rate")]
    assert iterations == [1, 2, 3, 4]


def test_what_is_compared_of_callbacks_and_learner_is_everything_that_counts(runs):
    state = checkpoint_state(last_checkpoint(runs.undisturbed("everything-ppo")))
    context, callbacks = state["context"], state["callbacks"]
    assert callbacks["EarlyStopping-1"]["num_without_improvement"] == 3
    assert context["stop_reason"].startswith("test_mean_accuracy=")
    # Two steps in each of four iterations: after four of warm-up, half of the other eight is left.
    assert callbacks["Remembering-1"]["num_steps"] == context["step"] == 8
    assert len(context["state"]["losses"]) == 3
    rates = [group["lr"] for group in state["learner"]["optimizer"]["param_groups"]]
    assert (rates[0], rates[-1]) == pytest.approx((0.003 / 2, 0.002 / 2))
    history = read_history(runs.undisturbed("everything-ppo") / "run")
    factors = (0.01, 0.01 + 0.99 * 2 / 4, 1.0, 0.75)
    rates = [rate for _, rate in history.values("learning_rate")]
    assert rates == pytest.approx([0.003 * factor for factor in factors])
    assert callbacks["Remembering-1"]["drift"].all()
    averaged = callbacks["AverageAgentWeights-1"]
    assert {name.partition(".")[0] for name in averaged} == {"anchor", "velocity"}

    learner = checkpoint_state(last_checkpoint(runs.undisturbed("everything-reinforce")))["learner"]
    # Losses were scaled by 2^16; each overflow halved that, and took the place of a step.
    num_overflows = 16 - log2(learner["update_step"]["scale"])
    assert 0 < num_overflows == 8 - learner["num_steps"] < 8
    assert {name.split(".")[1] for name in learner["optimizer"]["state"]} == {"prover"}
    (momentum,) = {group["momentum"] for group in learner["optimizer"]["param_groups"]}
    assert 0.85 < momentum < 0.95


def test_a_changed_parameter_is_refused_with_its_name_and_both_values(tmp_path):
    params = make_params(seed=3, rl={"lr": 0.25}, agents={"prover": {"d_hidden": 3}})
    settings = make_settings(tmp_path)
    run_experiment(params, run_id="r", settings=settings)
    before = {path: path.read_bytes() for path in (tmp_path / "r").rglob("*") if path.is_file()}
    changed = make_params(seed=3, rl={"lr": 0.5}, agents={"prover": {"d_hidden": 5}})
    with pytest.raises(ResumeError) as error:
        run_experiment(changed, run_id="r", settings=settings)
    message = str(error.value)
    for text in ("rl.lr", "0.25", "0.5", "agents.prover.d_hidden", "3", "5"):
        assert text in message
    assert "seed" not in message
    after = {path: path.read_bytes() for path in (tmp_path / "r").rglob("*") if path.is_file()}
    assert after == before
