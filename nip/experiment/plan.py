"""Sizes of all parts of an experiment, as a dry run reports them."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nip.scenario_instance import PureTextScenarioInstance, TensorDictScenarioInstance

if TYPE_CHECKING:
    from nip.trainers.core.trainer import Trainer
    from nip.trainers.text.plan import TextPlan


@dataclass(frozen=True)
class AgentPlan:
    """Size of one agent."""

    name: str
    """Name of the agent."""

    is_random: bool
    """Whether it acts at random and never learns."""

    num_weights: dict[str, int]
    """Number of weights of each of its parts."""

    @property
    def total_num_weights(self) -> int:
        """Number of weights of all parts."""
        return sum(self.num_weights.values())


@dataclass(frozen=True)
class IterationPlan:
    """Sizes of one iteration of a trainer that learns from rollouts."""

    num_environments: int
    """Environments that are stepped in parallel."""

    num_steps: int
    """Steps of each environment per iteration."""

    num_updates: int
    """Optimizer steps per iteration."""

    @property
    def num_frames(self) -> int:
        """Frames per iteration."""
        return self.num_environments * self.num_steps


@dataclass(frozen=True)
class ExperimentPlan:
    """Sizes of an experiment whose agents are networks, or of a custom kind."""

    agents: tuple[AgentPlan, ...]
    """All agents, in the order of the protocol."""

    num_train_datapoints: int
    """Size of the training split."""

    num_test_datapoints: int
    """Size of the test split."""

    num_iterations: int
    """Iterations of all loops of the trainer together, including the test."""

    rollouts: IterationPlan | None
    """Size of an iteration; None for a trainer that collects no rollouts."""


def make_plan(trainer: Trainer) -> ExperimentPlan | TextPlan:
    """Read the sizes off a trainer and its parts."""
    instance = trainer.scenario_instance
    if isinstance(instance, PureTextScenarioInstance):
        from nip.language_models.costs.price_file import read_prices
        from nip.trainers.text.plan import make_text_plan

        prices = read_prices(trainer.settings.prices)
        return make_text_plan(trainer.hyper_params, instance, prices)
    if isinstance(instance, TensorDictScenarioInstance):
        return _make_tensor_plan(trainer, instance)
    agents = instance.agents if isinstance(instance.agents, Mapping) else {}
    return ExperimentPlan(
        agents=tuple(
            AgentPlan(name, bool(getattr(agents.get(name), "is_random", False)), {})
            for name in instance.protocol_handler.agent_names
        ),
        num_train_datapoints=_size(instance.train_dataset),
        num_test_datapoints=_size(instance.test_dataset),
        num_iterations=trainer.num_iterations,
        rollouts=None,
    )


def _size(dataset: object) -> int:
    """Return the number of datapoints; 0 if the dataset does not tell."""
    return len(dataset) if isinstance(dataset, Sized) else 0


def _make_tensor_plan(trainer: Trainer, instance: TensorDictScenarioInstance) -> ExperimentPlan:
    # Imports torch, which experiments with language models do not need.
    from nip.trainers.rl_tensordict_base import TensorDictRlTrainer

    agents = tuple(
        AgentPlan(
            name,
            agent.is_random,
            {
                part: sum(weight.numel() for weight in module.parameters())
                for part, module in agent.named_children()
            },
        )
        for _, name, agent in instance.agents
    )
    rollouts = None
    if isinstance(trainer, TensorDictRlTrainer):
        shape = instance.batch_shape
        num_updates = trainer.num_steps_per_iteration
        rollouts = IterationPlan(shape.num_environments, shape.num_steps, num_updates)
    return ExperimentPlan(
        agents=agents,
        num_train_datapoints=len(instance.train_dataset),
        num_test_datapoints=len(instance.test_dataset),
        num_iterations=trainer.num_iterations,
        rollouts=rollouts,
    )
