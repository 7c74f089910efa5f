"""Trainers of several seeds that collect and learn together."""

import math
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch

from nip.errors import DivergenceError, NipWarning
from nip.experiment.checked import check
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.parameters.update_schedule import ContiguousPeriodicUpdateSchedule
from nip.rl_objectives.ppo import PpoObjective
from nip.run import build_checked
from nip.trainers.rl_tensordict_base import TensorDictRlTrainer
from nip.trainers.tensor.learning.learner import Learner
from nip.trainers.tensor.parallel_seeds.seed_group import SeedGroup
from nip.trainers.tensor.parallel_seeds.stacked_learner import StackedLearner
from tests.experiments import make_params

SETTINGS = ExperimentSettings(progress=False)
SEEDS = (3, 4, 5)
NUM_ITERATIONS = 4
EXPERIMENTS: dict[str, dict[str, Any]] = {
    "ppo": {"update_step": {"max_grad_value": 0.2}},
    "ppo with a hidden layer, of which the verifier pauses": {
        "dataset": "cheap_talk",
        "rl": {"use_shared_body": False, "normalize_observations": True},
        "agents": {
            "prover": {"d_hidden": 4},
            "verifier": {
                "d_hidden": 4,
                "update_schedule": ContiguousPeriodicUpdateSchedule(period=2, start=0, stop=1),
            },
        },
    },
    "ppo with a penalty, weight decay and a rate for each step": {
        "dataset": "cheap_talk",
        "ppo": {"loss_type": "kl_penalty"},
        "optimizer": {"name": "adamw", "weight_decay": 0.1},
        "lr_scheduler": {"name": "cosine", "interval": "step"},
        "eval_every": 2,
    },
    "reinforce in episodes that the end of a batch cuts": {
        "trainer": "reinforce",
        "protocol": "nip",
        "rl": {"frames_per_batch": 72, "rollouts_per_iteration": None, "minibatch_size": 24},
    },
    "reinforce with a critic": {
        "trainer": "reinforce",
        "protocol": "nip",
        "rl": {"minibatch_size": 24},
        "reinforce": {"use_advantage_and_critic": True},
        "optimizer": {"name": "sgd", "momentum": 0.9},
    },
}


def toy(**changes: Any) -> HyperParameters:
    rl = {
        "rollouts_per_iteration": 12,
        "minibatch_size": 8,
        "num_iterations": NUM_ITERATIONS,
        "lr": 0.05,
        "max_grad_norm": 0.5,
        **changes.pop("rl", {}),
    }
    return make_params(rl=rl, **changes)


def build(params: HyperParameters, seed: int) -> TensorDictRlTrainer:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NipWarning)
        trainer = build_checked(check(params.with_changes({"seed": seed}), SETTINGS))
    assert isinstance(trainer, TensorDictRlTrainer)
    return trainer


def alone(params: HyperParameters, seed: int) -> TensorDictRlTrainer:
    trainer = build(params, seed)
    trainer.train()
    return trainer


def together(params: HyperParameters) -> tuple[list[TensorDictRlTrainer], list[Any]]:
    """Return the trainers, and how the training of each has ended."""
    trainers, group = [build(params, seed) for seed in SEEDS], SeedGroup(SETTINGS)
    for trainer in trainers:
        group.join(trainer)
    return trainers, group.run([trainer.train for trainer in trainers])


def assert_agree(trainer: TensorDictRlTrainer, own: TensorDictRlTrainer, tolerance: float) -> None:
    """Compare metrics, weights, moments, and the states of all generators."""
    options = {"atol": tolerance, "rtol": tolerance}
    assert trainer.history.names() == own.history.names()
    for name in own.history.names():
        found, expected = trainer.history.values(name), own.history.values(name)
        assert [iteration for iteration, _ in found] == [iteration for iteration, _ in expected]
        for (_, value), (_, other) in zip(found, expected, strict=True):
            assert math.isclose(value, other, rel_tol=tolerance, abs_tol=tolerance), name
    state, expected = trainer.state_dict(), own.state_dict()
    del state["context"], expected["context"]
    torch.testing.assert_close(state, expected, **options)


def count_calls(monkeypatch: pytest.MonkeyPatch) -> Counter:
    """Count the steps that are taken together, and those of single runs."""
    counts: Counter = Counter()

    def counted(method: Callable, name: str) -> Callable:
        def wrapped(*arguments: Any) -> Any:
            result = method(*arguments)
            counts[name] += result is not None
            return result

        return wrapped

    monkeypatch.setattr(StackedLearner, "_step", counted(StackedLearner._step, "together"))
    monkeypatch.setattr(Learner, "step", counted(Learner.step, "alone"))
    return counts


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_each_seed_has_the_numbers_of_its_own_run(
    name: str, float64: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    params, counts = toy(**EXPERIMENTS[name]), count_calls(monkeypatch)
    trainers, _ = together(params)
    # Only the first step of each run, with its checks, is taken alone.
    num_steps = trainers[0].num_steps_per_iteration * NUM_ITERATIONS
    assert counts == {"alone": len(SEEDS), "together": num_steps - 1}
    for trainer, seed in zip(trainers, SEEDS, strict=True):
        assert_agree(trainer, alone(params, seed), 1e-9)


def test_single_precision_agrees_to_five_digits() -> None:
    params = toy(rl={"num_iterations": 10})
    trainers, _ = together(params)
    for trainer, seed in zip(trainers, SEEDS, strict=True):
        assert_agree(trainer, alone(params, seed), 1e-5)


def test_an_agent_may_have_no_turn_in_a_minibatch_of_some_runs(float64: None) -> None:
    # Of two frames, both are often of the same agent.
    params = toy(rl={"minibatch_size": 2, "rollouts_per_iteration": 4})
    trainers, _ = together(params)
    states = [trainer.optimizer.state for trainer in trainers]
    num_steps = [[float(each["step"]) for each in state.values()] for state in states]
    assert num_steps[0] != num_steps[1]
    for trainer, seed in zip(trainers, SEEDS, strict=True):
        assert_agree(trainer, alone(params, seed), 1e-9)


def act_on(monkeypatch: pytest.MonkeyPatch, seed: int, act: Callable) -> None:
    """Let a function act on the trainer of a seed at the end of its second iteration."""

    def end_of_iteration(self: TensorDictRlTrainer, num_iterations: int) -> None:
        if self.hyper_params.seed == seed and num_iterations == 2:
            act(self)

    monkeypatch.setattr(TensorDictRlTrainer, "_take_snapshots", end_of_iteration)


def test_a_run_may_stop_before_the_others(float64: None, monkeypatch: pytest.MonkeyPatch) -> None:
    params = toy()
    act_on(monkeypatch, SEEDS[1], lambda trainer: trainer.context.stop("good enough"))
    trainers, _ = together(params)
    assert [trainer.context.iteration for trainer in trainers] == [4, 2, 4]
    for trainer, seed in zip(trainers, SEEDS, strict=True):
        assert_agree(trainer, alone(params, seed), 1e-9)


def break_weights(trainer: TensorDictRlTrainer) -> None:
    with torch.no_grad():
        trainer.agents.agents["prover"].value_head.value.weight.fill_(torch.inf)


def test_a_run_that_diverges_leaves_the_others_alone(
    float64: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = toy()
    act_on(monkeypatch, SEEDS[1], break_weights)
    trainers, endings = together(params)
    assert endings[0] is endings[2] is None
    assert isinstance(endings[1], DivergenceError)
    assert "in iteration 3" in str(endings[1])
    for number in (0, 2):
        assert_agree(trainers[number], alone(params, SEEDS[number]), 1e-9)


def test_the_minibatch_in_which_a_run_diverges_counts_once_for_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    params, counts = toy(ppo={"loss_type": "kl_penalty"}), []
    act_on(monkeypatch, SEEDS[1], break_weights)

    def finish(self: PpoObjective) -> None:
        counts.append(self._kl_count.tolist())
        own_finish(self)

    own_finish = PpoObjective.finish_iteration
    monkeypatch.setattr(PpoObjective, "finish_iteration", finish)
    trainers, _ = together(params)
    assert counts
    assert all(count == [trainers[0].num_steps_per_iteration] * 2 for count in counts)
