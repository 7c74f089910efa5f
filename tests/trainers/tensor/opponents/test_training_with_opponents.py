"""Training in which past versions play a share of the episodes."""

from unittest.mock import patch

import pytest
import torch

from nip.errors import ParameterError
from nip.run import run_experiment
from nip.trainers.core.components import TrainerComponents
from nip.trainers.tensor.opponents.pool import PRESENT
from nip.trainers.tensor.rollout_collection import training_collector
from tests.experiments import make_params, make_settings, make_trainer, same_tensors

POOL = {"agents": ["prover"], "snapshot_every": 1, "share": 0.5}
CUT = {"rollouts_per_iteration": 16, "steps_per_env_per_iteration": 3}


def with_pool(trainer="vanilla_ppo", protocol="nip", **changes):
    changes.setdefault("rl", {**CUT, "num_iterations": 4})
    changes.setdefault("opponent_pool", POOL)
    return make_params(trainer=trainer, protocol=protocol, **changes)


@pytest.fixture(params=["vanilla_ppo", "reinforce"])
def trainer(request):
    """A trainer after two iterations, with snapshots in play."""
    trainer = make_trainer(with_pool(request.param))
    trainer.setup()
    for _ in range(2):
        trainer.train_iteration()
    yield trainer
    trainer.close()


def marked(trainer):
    """Make snapshots of the prover always write symbol 3, and collect a batch."""
    for snapshot in trainer.opponent_pool.snapshots["prover"].values():
        message = snapshot.agent.policy_head.message
        with torch.no_grad():
            message.weight.zero_()
            message.bias.copy_(
                torch.tensor([-50.0, -50.0, -50.0, 50.0]).repeat(len(message.bias) // 4)
            )
    return trainer.collect_batch()


def test_snapshots_play_where_the_batch_says_so_and_nowhere_else(trainer):
    batch = marked(trainer)
    plays = batch["opponent"][..., 0] != PRESENT
    turn = batch["round"] % 2 == 1  # The verifier opens.
    symbols = batch["agents", "position_selected"][:, :, 0, 0, 0]
    assert plays.any() and not plays.all()
    assert (symbols[plays & turn] == 3).all()
    assert (symbols[~plays & turn] != 3).any()
    assert (batch["opponent"][..., 1] == PRESENT).all()
    # An opponent stays the same for the whole episode.
    goes_on = ~batch["next", "done"][:, :-1]
    opponents = batch["opponent"][..., 0]
    assert torch.equal(opponents[:, 1:][goes_on], opponents[:, :-1][goes_on])


def test_nobody_learns_from_what_a_snapshot_did(trainer):
    batch = marked(trainer)
    plays = batch["opponent"][..., 0] != PRESENT
    for mask in ("active", "value_known"):
        assert not batch["agents", mask][:, :, 0][plays].any(), mask
    # The verifier learns against it.
    assert batch["agents", "active"][:, :, 1][plays].any()
    # Whatever a snapshot writes and earns: the gradient of the prover is the same.
    gradients = []
    for factor in (1.0, 5.0):
        changed = batch.clone().exclude("next").reshape(-1)
        rows = changed["opponent"][:, 0] != PRESENT
        for key in ("advantage", "value_target", "reward_to_go", "sample_log_prob"):
            if key in changed["agents"].keys():
                changed["agents", key][rows, 0] *= factor
        trainer.loss_module.zero_grad()
        losses = trainer.loss_module(trainer.complete_frames(changed))
        trainer.loss_module.backward(losses)
        prover = trainer.agents.agents["prover"]
        gradients.append(
            {n: p.grad.clone() for n, p in prover.named_parameters() if p.grad is not None}
        )
    assert gradients[0]
    assert same_tensors(*gradients)


def test_metrics_are_those_of_episodes_without_snapshots(trainer):
    from nip.trainers.tensor.opponents.metrics import without_opponents

    batch = marked(trainer)
    verdict, done = batch["next", "verdict"], batch["next", "done"]
    pooled = (batch["opponent"] != PRESENT).any(-1)
    with patch.object(trainer, "collect_batch", lambda: batch):
        metrics = trainer.train_iteration()
    right = (verdict == batch["y"].squeeze(-1)).double()
    assert metrics["num_episodes"] == int((done & ~pooled).sum())
    assert metrics["mean_accuracy"] == pytest.approx(float(right[done & ~pooled].mean()))
    assert metrics["opponent_pool_accuracy"] == pytest.approx(float(right[done & pooled].mean()))
    assert metrics["opponent_pool_share"] == pytest.approx(float(pooled[done].double().mean()))
    assert metrics["opponent_pool_size"] == 2
    assert (without_opponents(batch)["opponent"] == PRESENT).all()


@pytest.mark.parametrize("trainer_name", ["vanilla_ppo", "reinforce"])
def test_before_the_first_snapshot_everything_is_as_without_a_pool(trainer_name):
    found = []
    for pool in ({}, {**POOL, "snapshot_every": 3}):
        trainer = make_trainer(with_pool(trainer_name, opponent_pool=pool))
        trainer.setup()
        metrics = [trainer.train_iteration() for _ in range(4)]
        found.append((metrics, trainer.agents.state_dict()))
        trainer.close()
    (plain, _), (pooled, _) = found
    # Snapshots of the third iteration play from the fourth on.
    for first, second in zip(plain[:3], pooled[:3], strict=True):
        assert {name: second[name] for name in first} == first
        assert second["opponent_pool_share"] == 0.0
    assert plain[3] != {name: pooled[3].get(name) for name in plain[3]}


def test_the_pool_lies_in_the_run_folder_as_safetensors_and_is_monitored(tmp_path):
    best = {"name": "best_checkpoint", "monitor": "opponent_pool_accuracy"}
    run = run_experiment(
        with_pool(callbacks=[best]), run_id="run", settings=make_settings(tmp_path)
    )
    files = {path.name for path in (run.folder / "checkpoints").rglob("opponent_pool.*")}
    assert {f"opponent_pool.prover.{n}.weights.safetensors" for n in (1, 2, 3, 4)} <= files


def test_what_cannot_have_a_pool_is_refused(tmp_path):
    settings = make_settings(tmp_path)
    with pytest.raises(ParameterError, match="trainer='spg' anticipates how the agents that play"):
        run_experiment(with_pool("spg"), run_id="run", settings=settings)
    unknown = with_pool(opponent_pool={**POOL, "agents": ["prover7"]})
    with pytest.raises(ParameterError, match="has no agent 'prover7'"):
        run_experiment(unknown, run_id="run", settings=settings)
    with pytest.raises(ParameterError, match=r"must be empty with protocol_common\.zero_knowledge"):
        with_pool(protocol_common={"zero_knowledge": True})
    with pytest.raises(ParameterError, match="must name each agent once"):
        with_pool(opponent_pool={"agents": ["prover", "prover"]})
    own = TrainerComponents(
        data=lambda trainer: training_collector(
            trainer.scenario_instance, trainer.hyper_params, with_values=True
        )
    )
    with pytest.raises(ParameterError, match="component data replaces it"):
        run_experiment(with_pool(), run_id="run", settings=settings, components=own)
    assert list(tmp_path.iterdir()) == []
