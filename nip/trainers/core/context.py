"""What callbacks and loss terms see of a training run, and what they may ask of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from tensordict import TensorDictBase
    from torch import Tensor

    from nip.run_store import RunHistory
    from nip.scenario_base.combined_agents import CombinedAgents
    from nip.trainers.core.trainer import Trainer


@dataclass
class TrainingContext:
    """Where a training run stands; the trainer keeps it up to date."""

    trainer: Trainer
    """The trainer, with its agents, parameters and run."""

    iteration: int = 0
    """Iterations done before the current one."""

    epoch: int = 0
    """Passes over the batch of this iteration, or over the data, done before the current one."""

    step: int = 0
    """Steps so far: updates of the weights, or fine-tuning jobs."""

    stage: str = ""
    """What is being done: ``sample``, ``update``, ``test``, or one of the stages of text."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    """Figures of the last iteration or evaluation."""

    metrics_iteration: int = 0
    """The iteration that they were logged for, counted from 1; 0 is before the first."""

    batch: TensorDictBase | None = None
    """The minibatch of the current or last step."""

    figures: TensorDictBase | None = None
    """What the last minibatch gave, all detached scalars: losses, norms and others."""

    state: dict[str, Any] = field(default_factory=dict)
    """Plain data of the user's own, saved with each checkpoint."""

    metadata: dict[str, Any] = field(default_factory=dict)
    """Anything of the user's own, not saved."""

    stop_reason: str | None = None
    """Why training is to stop; None while it goes on."""

    best: tuple[int, str, float] | None = None
    """The best iteration so far, counted from 1, with the metric that says so and its value."""

    wants_checkpoint: bool = False
    """Whether somebody asked for a checkpoint after this iteration."""

    wants_evaluation: bool = False
    """Whether somebody asked for an evaluation at the end of this iteration, or of the next."""

    def begin_afresh(self) -> None:
        """Forget how far an earlier training of the same trainer had come."""
        self.iteration = self.step = 0
        self.stop_reason = self.best = None

    def state_dict(self) -> dict[str, Any]:
        """Return what must survive an interruption, as JSON can hold it."""
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
        """Stop training after this iteration, save, and test; the first reason counts."""
        self.stop_reason = self.stop_reason or reason

    def request_checkpoint(self, best_of: tuple[str, float] | None = None) -> None:
        """Ask for a checkpoint after this iteration.

        Parameters
        ----------
        best_of : tuple of str and float, optional
            A metric and its value, if the checkpoint is the best so far.
        """
        self.wants_checkpoint = True
        if best_of is not None:
            self.best = (self.iteration + 1, *best_of)

    def request_evaluation(self) -> None:
        """Ask for an evaluation at the end of this iteration, or of the next if it is over."""
        self.wants_evaluation = True

    @property
    def loss(self) -> Tensor | None:
        """The loss of the last minibatch, a detached scalar: the sum of all its terms."""
        if self.figures is None:
            return None
        terms = [value for name, value in self.figures.items() if name.startswith("loss_")]
        return sum(terms[1:], start=terms[0])

    @property
    def agent_names(self) -> list[str]:
        """Names of the agents, in the order of the protocol."""
        return list(self.trainer.scenario_instance.protocol_handler.agent_names)

    @property
    def history(self) -> RunHistory:
        """All metrics so far."""
        return self.trainer.history

    @property
    def folder(self) -> Path | None:
        """Where the run lies; None if nothing is kept."""
        return None if self.trainer.run is None else self.trainer.run.folder

    @property
    def device(self) -> torch.device | None:
        """Where the networks compute; None for language models."""
        return getattr(self.trainer, "device", None)

    @property
    def model(self) -> CombinedAgents:
        """The agents: one module for networks, a dictionary for language models."""
        return self.trainer.agents

    @property
    def optimizer(self) -> torch.optim.Optimizer | None:
        """The optimizer, where the trainer has one."""
        learner = getattr(self.trainer, "learner", None)
        return None if learner is None else learner.optimizer

    @property
    def lr_scheduler(self) -> torch.optim.lr_scheduler.LRScheduler | None:
        """The schedule of the learning rate, where the trainer has one."""
        learner = getattr(self.trainer, "learner", None)
        return None if learner is None else learner.lr_scheduler


def migrated_trainer_state(state: Mapping[str, Any], iteration: int = 0) -> dict[str, Any]:
    """Return the state of context and callbacks, nested by name, of one that was stored flat."""
    if "context" in state:
        return dict(state)
    context = {key: value for key, value in state.items() if key not in ("callbacks", "learner")}
    return {"context": {"iteration": iteration, **context}, "callbacks": state["callbacks"]}
