"""Trainer: supervised training of each agent on its own."""

from collections.abc import Callable, Iterator

from tensordict import TensorDictBase

from nip.trainers.core.components import COMPONENTS
from nip.trainers.registry import register_trainer
from nip.trainers.tensor.learning.agent_freezing import train_learning_parts
from nip.trainers.tensor.learning.learner_building import build_learner
from nip.trainers.tensor.learning.metric_means import mean_over_rows
from nip.trainers.tensor.learning.minibatches import Minibatches
from nip.trainers.tensor.solo_training import (
    SoloDataset,
    SoloObjective,
    answer_alone,
    solo_rules,
)
from nip.trainers.trainer_base import TensorDictTrainer
from nip.utils.ranks import current_ranks


@register_trainer("solo_agent")
class SoloAgentTrainer(TensorDictTrainer):
    """Trains each agent to answer the question alone, as a baseline without interaction."""

    trainer_type = "solo_agent"

    exchangeable = tuple(name for name in COMPONENTS if name not in ("loss", "data"))

    @property
    def num_train_iterations(self) -> int:
        """Number of passes over the training rows."""
        return self.hyper_params.solo_agent.num_epochs

    def _default_minibatches(self) -> Minibatches:
        return self._make_dataset().minibatches()

    def _make_dataset(self) -> SoloDataset:
        return SoloDataset(self.scenario_instance.train_environment, self.hyper_params)

    def _set_up(self) -> None:
        params = self.hyper_params.solo_agent
        self.dataset = self._make_dataset()
        self.objective = self._make_objective()
        self.learner = build_learner(
            self,
            self.objective,
            learning_rate=params.learning_rate,
            max_grad_norm=params.max_grad_norm,
            **solo_rules(params),
        )

    def _make_objective(self) -> SoloObjective:
        return SoloObjective(self.agents)

    def _run_iteration(self, iteration: int) -> dict[str, float]:
        """Train on all training rows; return each agent's mean loss and accuracy."""
        train_learning_parts(self.agents)
        with self.stage("train"):
            metrics = [self._learn(rows) for rows in self._divided_rows(iteration)]
            self.learner.finish_iteration()
        return mean_over_rows(metrics)

    def _divided_rows(self, iteration: int) -> Iterator[TensorDictBase]:
        """Yield the minibatches of the training rows, over all epochs of an iteration."""
        minibatches = self._minibatches
        assert minibatches is not None, "setup() builds them"
        for epoch in range(minibatches.num_epochs):
            self.context.epoch = iteration * minibatches.num_epochs + epoch
            yield from minibatches.of(self.dataset.train_rows)

    def _learn(self, rows: TensorDictBase) -> tuple[TensorDictBase, int]:
        """Learn from a minibatch; return its metrics and its number of rows.

        Of N ranks each learns from every N-th row.
        """
        ranks = current_ranks()
        return self.train_step(self.dataset.questions(rows[ranks.rank :: ranks.size])), len(rows)

    def _evaluate(self, split: str, on_batch: Callable[[], object]) -> dict[str, float]:
        """Compute loss and accuracy on the test rows or on the training rows."""
        with self._autocast():
            metrics = answer_alone(self.objective, self.dataset, held_out=split == "test")
        on_batch()
        return metrics
