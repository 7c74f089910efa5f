"""What an experiment would run: the sizes of all its parts, before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.scenario_instance import (
    PureTextScenarioInstance,
    ScenarioInstance,
    TensorDictScenarioInstance,
)

if TYPE_CHECKING:
    from nip.trainers.text.plan import TextPlan


@dataclass(frozen=True)
class AgentPlan:
    """Size of one agent."""

    name: str
    """Name of the agent."""

    is_random: bool
    """Whether it plays at random and never learns."""

    num_weights: dict[str, int]
    """Number of weights of each of its parts."""

    @property
    def total_num_weights(self) -> int:
        """Number of weights of all parts."""
        return sum(self.num_weights.values())


@dataclass(frozen=True)
class IterationPlan:
    """How a trainer that learns from episodes goes through an iteration."""

    num_environments: int
    """Environments that run side by side."""

    num_steps: int
    """Steps of each environment per iteration."""

    num_updates: int
    """Optimiser steps per iteration."""

    @property
    def num_frames(self) -> int:
        """Frames per iteration."""
        return self.num_environments * self.num_steps


@dataclass(frozen=True)
class ExperimentPlan:
    """What an experiment would run."""

    agents: tuple[AgentPlan, ...]
    """All agents, in the order of the protocol."""

    num_train_datapoints: int
    """Size of the training split."""

    num_test_datapoints: int
    """Size of the test split."""

    num_iterations: int
    """Iterations of all loops of the trainer together, the test among them."""

    rollouts: IterationPlan | None
    """Size of an iteration; None for a trainer that collects no rollouts."""


def make_plan(
    hyper_params: HyperParameters, instance: ScenarioInstance, settings: ExperimentSettings
) -> ExperimentPlan | TextPlan:
    """Read the sizes off the built parts.

    Parameters
    ----------
    hyper_params : HyperParameters
        What is to be run.
    instance : ScenarioInstance
        The built parts.
    settings : ExperimentSettings
        Where it is to be run.
    """
    if isinstance(instance, PureTextScenarioInstance):
        from nip.language_models.costs.price_file import read_prices
        from nip.trainers.text.plan import make_text_plan

        return make_text_plan(hyper_params, instance, read_prices(settings.prices))
    assert isinstance(instance, TensorDictScenarioInstance), instance
    return _make_tensor_plan(hyper_params, instance, settings)


def _make_tensor_plan(
    hyper_params: HyperParameters,
    instance: TensorDictScenarioInstance,
    settings: ExperimentSettings,
) -> ExperimentPlan:
    # Imported here because they bring torch along, which language models do not need.
    from nip.trainers.registry import build_trainer
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
    trainer = build_trainer(hyper_params, instance, settings)
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
