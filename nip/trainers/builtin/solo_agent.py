"""Supervised training of every agent by itself."""

from collections.abc import Callable, Mapping
from typing import Any

from nip.trainers.core.components import COMPONENTS
from nip.trainers.registry import register_trainer
from nip.trainers.tensor.learning.agent_freezing import train_learning_parts
from nip.trainers.tensor.learning.learner_building import build_learner
from nip.trainers.tensor.solo_training import (
    SoloDataset,
    SoloObjective,
    answer_alone,
    mean_figures,
    solo_rules,
)
from nip.trainers.trainer_base import TensorDictTrainer
from nip.utils.ranks import current_ranks


@register_trainer("solo_agent")
class SoloAgentTrainer(TensorDictTrainer):
    """Each agent learns to answer the question alone: what it can do without the other's help."""

    trainer_type = "solo_agent"

    exchangeable = tuple(name for name in COMPONENTS if name not in ("loss", "data"))

    @property
    def num_train_iterations(self) -> int:
        """Passes over the training rows."""
        return self.hyper_params.solo_agent.num_epochs

    @property
    def num_minibatches(self) -> int:
        """Minibatches of a pass."""
        environment = self.scenario_instance.train_environment
        return SoloDataset(environment, self.hyper_params).num_batches

    def _set_up(self) -> None:
        params = self.hyper_params.solo_agent
        self.rows = SoloDataset(self.scenario_instance.train_environment, self.hyper_params)
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
        """Pass over the training rows once; return each agent's mean loss and accuracy."""
        self.context.epoch, ranks = iteration, current_ranks()
        train_learning_parts(self.agents)
        with self.stage("train"):
            figures = [
                (self.train_step(batch[ranks.rank :: ranks.size]), len(batch))
                for batch in self.rows.shuffled()
            ]
            self.learner.finish_iteration()
        return mean_figures(figures)

    def _evaluate(self, split: str, on_batch: Callable[[], object]) -> dict[str, float]:
        """Answer the held-out questions, or those that were learnt from."""
        with self._autocast():
            metrics = answer_alone(self.objective, self.rows, held_out=split == "test")
        on_batch()
        return metrics

    def state_dict(self) -> dict[str, Any]:
        """Return everything that must survive an interruption, nested by name."""
        return {**super().state_dict(), "minibatches": self.rows.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load what ``state_dict`` returned."""
        super().load_state_dict(state)
        self.rows.load_state_dict(state["minibatches"])
