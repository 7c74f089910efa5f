"""Agents that are computed on all rows learn what agents on compact rows learn."""

from pathlib import Path
from typing import Any

import pytest
import torch

from nip.experiment_settings import ExperimentSettings
from nip.factory import build_scenario_instance
from nip.trainers.registry import build_trainer
from nip.trainers.rl_tensordict_base import TensorDictRlTrainer
from tests.experiments import make_params
from tests.trainers.tensor.test_no_host_synchronisation import TRAINERS, fixed_trainer

pytestmark = pytest.mark.usefixtures("float64")


def both_trainers(
    scenario: str, kind: str, data_dir: Path, **changes: Any
) -> tuple[TensorDictRlTrainer, TensorDictRlTrainer]:
    compact, fixed = (
        fixed_trainer(scenario, kind, data_dir, agent_rows=rows, **changes)
        for rows in ("compact", "fixed")
    )
    return compact, fixed


def assert_same_state(first: TensorDictRlTrainer, second: TensorDictRlTrainer) -> None:
    """Compare weights, running statistics, and Adam's moments and steps."""
    states = [
        {**each.agents.state_dict(), **each.learner.state_dict()["optimizer"]["state"]}
        for each in (first, second)
    ]
    # Moments of what has not learnt yet are missing with compact rows, and 0 with fixed shapes.
    for name in states[1].keys() - states[0].keys():
        assert not states[1][name].any(), name
    for name, tensor in states[0].items():
        torch.testing.assert_close(states[1][name], tensor, rtol=1e-7, atol=1e-9, msg=name)


@pytest.mark.parametrize(
    ("scenario", "kind"),
    [
        ("graph_isomorphism", "ppo"),
        *(pytest.param("graph_isomorphism", kind, marks=pytest.mark.slow) for kind in TRAINERS),
        pytest.param("image_classification", "ppo", marks=pytest.mark.slow),
        *(("toy", kind) for kind in TRAINERS),
    ],
)
def test_several_iterations_learn_the_same(scenario: str, kind: str, data_dir: Path) -> None:
    """Minibatches of two frames leave out an agent now and then."""
    rl = {"minibatch_size": 2, "lr": 0.01}
    compact, fixed = both_trainers(scenario, kind, data_dir, rl=rl)
    for iteration in range(3):
        batch = compact.collect_batch()
        metrics = [each._learn(batch.clone()) for each in (compact, fixed)]
        assert metrics[0].keys() == metrics[1].keys()
        # In means over minibatches those without an agent count, so losses are compared in sum.
        for name in ("loss_objective", "loss_critic", "grad_norm"):
            if name in metrics[0]:
                assert metrics[1][name] == pytest.approx(metrics[0][name], rel=1e-6, abs=1e-9)
        assert_same_state(compact, fixed)
        assert iteration == 0 or metrics[0]["grad_norm"] > 0
    for each in (compact, fixed):
        each.close()


@pytest.mark.parametrize("kind", ["ppo", "reinforce"])
@pytest.mark.parametrize("protocol", ["solo_verifier", "nip"])
def test_whole_iterations_are_the_same_without_chance(
    protocol: str, kind: str, data_dir: Path
) -> None:
    """Where all rows count and no returns are sampled, the same actions are drawn as well."""
    trainers, is_greedy = [], (protocol, kind) != ("solo_verifier", "ppo")
    for rows in ("compact", "fixed"):
        trainer_name, own = TRAINERS[kind]
        params = make_params("toy", trainer_name, protocol, rl={"num_epochs": 1}, **own)
        trainers.append(_ready(params, rows, data_dir, greedy=is_greedy))
    compact, fixed = trainers
    for _ in range(3):
        compact.agents.load_state_dict(fixed.agents.state_dict())
        batches = [each.collect_batch() for each in trainers]
        for key, value in batches[0].items(include_nested=True, leaves_only=True):
            torch.testing.assert_close(batches[1][key], value, msg=str(key))
        for each, batch in zip(trainers, batches, strict=True):
            each._learn(batch)
        assert_same_state(compact, fixed)
    for each in trainers:
        each.close()


def _ready(params: Any, rows: str, data_dir: Path, *, greedy: bool) -> TensorDictRlTrainer:
    settings = ExperimentSettings(data_dir=data_dir, progress=False, agent_rows=rows)
    trainer = build_trainer(params, build_scenario_instance(params, settings), settings)
    assert isinstance(trainer, TensorDictRlTrainer)
    trainer.setup()
    trainer.collector.greedy = greedy
    return trainer
