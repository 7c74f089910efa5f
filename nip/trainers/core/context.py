"""The training context: the state of a run as callbacks and loss terms see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from tensordict import TensorDictBase
    from torch import Tensor
    from torch.nn import Parameter

    from nip.run_store import RunHistory
    from nip.scenario_base.combined_agents import CombinedAgents
    from nip.trainers.core.trainer import Trainer
    from nip.utils.nested_array_dict import NestedArrayDict


@dataclass
class TrainingContext:
    """State of a training run, which the trainer keeps up to date."""

    trainer: Trainer
    """The trainer, with its agents, parameters and run."""

    iteration: int = 0
    """Number of completed iterations."""

    epoch: int = 0
    """Number of completed passes over the batch of this iteration, or over the dataset."""

    step: int = 0
    """Number of completed steps: updates of the weights, or fine-tuning jobs."""

    stage: str = ""
    """Current stage: ``sample``, ``update``, ``train``, ``test``, or a stage of a text trainer."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    """Metrics of the last iteration or evaluation."""

    metrics_iteration: int = 0
    """Iteration for which they were logged, counted from 1; 0 before the first."""

    rollouts: TensorDictBase | NestedArrayDict | None = None
    """Frames of this iteration, of all ranks and any batch size, as far as its metrics are computed
    from them, in which no past versions of agents play. Of language models, the dialogues. None
    before they are collected and after the metrics were logged."""

    batch: TensorDictBase | None = None
    """The minibatch of the current or last step."""

    step_metrics: TensorDictBase | None = None
    """Losses, gradient norm and other metrics of the last minibatch, all detached scalars."""

    state: dict[str, Any] = field(default_factory=dict)
    """Data of the user that JSON can hold, saved with each checkpoint."""

    metadata: dict[str, Any] = field(default_factory=dict)
    """Any other data of the user, which is not saved."""

    stop_reason: str | None = None
    """Reason why training is to stop; None while it continues."""

    best: tuple[int, str, float] | None = None
    """Best iteration so far, counted from 1, with the metric that decides and its value."""

    wants_checkpoint: bool = False
    """Whether a checkpoint was requested for the end of this iteration."""

    wants_evaluation: bool = False
    """Whether an evaluation was requested for the end of this iteration or of the next."""

    def reset(self) -> None:
        """Reset the progress of an earlier training by the same trainer."""
        self.iteration = self.step = 0
        self.stop_reason = self.best = None

    def state_dict(self) -> dict[str, Any]:
        """Return everything that must survive an interruption, as JSON can hold it."""
        return {
            "iteration": self.iteration,
            "step": self.step,
            "metrics": {name: float(value) for name, value in self.metrics.items()},
            "metrics_iteration": self.metrics_iteration,
            "state": self.state,
            "wants_evaluation": self.wants_evaluation,
            "stop_reason": self.stop_reason,
            "best": None if self.best is None else list(self.best),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load what ``state_dict`` returned."""
        self.iteration, self.step = state["iteration"], state["step"]
        self.metrics, self.metrics_iteration = state["metrics"], state["metrics_iteration"]
        self.state = dict(state["state"])
        self.wants_evaluation = state["wants_evaluation"]
        self.stop_reason = state["stop_reason"]
        self.best = None if state["best"] is None else tuple(state["best"])

    def stop(self, reason: str) -> None:
        """Stop training after this iteration, save, and test. The first reason is kept."""
        self.stop_reason = self.stop_reason or reason

    def request_checkpoint(self, best_of: tuple[str, float] | None = None) -> None:
        """Request a checkpoint after this iteration.

        Parameters
        ----------
        best_of : tuple of str and float, optional
            The metric and its value by which this checkpoint is the best so far.
        """
        self.wants_checkpoint = True
        if best_of is not None:
            self.best = (self.iteration + 1, *best_of)

    def request_evaluation(self) -> None:
        """Request an evaluation at the end of this iteration, or of the next if it has ended."""
        self.wants_evaluation = True

    @property
    def loss(self) -> Tensor | None:
        """Loss of the last minibatch, a detached scalar: the sum of all its terms."""
        if self.step_metrics is None:
            return None
        terms = [value for name, value in self.step_metrics.items() if name.startswith("loss_")]
        return sum(terms[1:], start=terms[0]) if terms else None

    @property
    def figures(self) -> TensorDictBase | None:
        """Former name of ``step_metrics``."""
        return self.step_metrics

    @property
    def agent_names(self) -> list[str]:
        """Names of the agents, in the order of the protocol."""
        return list(self.trainer.scenario_instance.protocol_handler.agent_names)

    @property
    def history(self) -> RunHistory:
        """All metrics logged so far."""
        return self.trainer.history

    @property
    def folder(self) -> Path | None:
        """Folder of the run; None if nothing is written."""
        return None if self.trainer.run is None else self.trainer.run.folder

    @property
    def device(self) -> torch.device | None:
        """Device of the networks; None for language models."""
        return getattr(self.trainer, "device", None)

    @property
    def model(self) -> CombinedAgents:
        """The agents: one module for networks, a dictionary for language models."""
        return self.trainer.agents

    @property
    def parameters(self) -> list[Parameter]:
        """All parameters of agents, objective and loss terms, each once."""
        learner = getattr(self.trainer, "learner", None)
        return list(self.model.parameters()) if learner is None else list(learner.names)

    @property
    def optimizer(self) -> torch.optim.Optimizer | None:
        """The optimizer, if the trainer has one."""
        learner = getattr(self.trainer, "learner", None)
        return None if learner is None else learner.optimizer

    @property
    def lr_scheduler(self) -> torch.optim.lr_scheduler.LRScheduler | None:
        """The learning-rate scheduler, if the trainer has one."""
        learner = getattr(self.trainer, "learner", None)
        return None if learner is None else learner.lr_scheduler


def migrated_trainer_state(state: Mapping[str, Any], iteration: int = 0) -> dict[str, Any]:
    """Convert a flat state of context and callbacks, as old versions stored it, to a nested one."""
    if "context" in state:
        return dict(state)
    context = {key: value for key, value in state.items() if key not in ("callbacks", "learner")}
    return {"context": {"iteration": iteration, **context}, "callbacks": state["callbacks"]}
