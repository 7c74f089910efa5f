"""A trainer with a custom loop: hill climbing by random changes of the weights."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from tensordict import TensorDict

from nip.parameters import SubParameters, register_parameter_class
from nip.parameters.types import Positive
from nip.scenario_base.collector import RolloutCollector
from nip.scenario_base.environment import TensorDictEnvironment
from nip.seeding import stable_seed
from nip.trainers.registry import register_trainer
from nip.trainers.tensor.rollout_metrics import rollout_metrics
from nip.trainers.trainer_base import TensorDictTrainer


@register_parameter_class
@dataclass
class HillClimbingParameters(SubParameters):
    """Parameters of hill climbing."""

    step_size: Positive = 0.3
    """Standard deviation of the change of every weight."""


@register_trainer("hill_climbing", parameters=HillClimbingParameters)
class HillClimbingTrainer(TensorDictTrainer):
    """Change all weights at random, and keep changes that do not lower the total reward."""

    @property
    def num_train_iterations(self) -> int:
        """Number of changes to try."""
        return self.hyper_params.rl.num_iterations

    @property
    def num_test_batches(self) -> int:
        """Batches of an evaluation."""
        return self.hyper_params.rl.num_test_iterations

    def _set_up(self) -> None:
        """Do nothing: there is no optimizer, and each batch has its own collector."""

    def _evaluate(self, split: str, on_batch: Callable[[], object]) -> dict[str, float]:
        """Evaluate on a split, always with the same questions."""
        instance = self.scenario_instance
        environment = instance.test_environment if split == "test" else instance.train_environment
        batches = []
        for index in range(self.num_test_batches):
            batches.append(self._play(environment, "evaluate", split, index))
            on_batch()
        return rollout_metrics(torch.cat(batches), instance.protocol_handler)

    @torch.no_grad()
    def _run_iteration(self, iteration: int) -> dict[str, float]:
        """Compare the agents before and after a change on the same episodes."""
        environment = self.scenario_instance.train_environment
        weights = [weight for weight in self.agents.parameters() if weight.requires_grad]
        kept = [weight.clone() for weight in weights]
        before = self._play(environment, "train", iteration)
        for weight in weights:
            weight.add_(self.hyper_params.hill_climbing.step_size * torch.randn_like(weight))
        batch = self._play(environment, "train", iteration)
        if self._reward(batch) < self._reward(before):
            batch = before
            for weight, old in zip(weights, kept, strict=True):
                weight.copy_(old)
        return rollout_metrics(batch, self.scenario_instance.protocol_handler)

    def _play(self, environment: TensorDictEnvironment, *what_for: str | int) -> TensorDict:
        """Collect one batch; the same arguments give the same questions and random numbers."""
        seed = stable_seed(self.hyper_params.seed, "hill_climbing", *what_for)
        num_steps = self.scenario_instance.batch_shape.num_steps
        episodes = environment.fresh_copy(seed)
        collector = RolloutCollector(
            episodes, self.agents, num_steps=num_steps, seed=seed, with_values=False
        )
        return collector.collect()

    def _reward(self, batch: TensorDict) -> float:
        return float(batch["next", "agents", "reward"].mean())
