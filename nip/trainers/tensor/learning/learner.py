"""The learner: loss, optimizer, learning-rate schedule and update step in one object."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from tensordict import TensorDictBase
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from nip.rl_objectives import Objective
from nip.scenario_base.combined_agents import CombinedAgents
from nip.trainers.core.callback import Event
from nip.trainers.core.context import TrainingContext
from nip.trainers.tensor.learning.loss_terms import LossTerm, add_loss_terms
from nip.trainers.tensor.learning.lr_schedules import (
    load_lr_scheduler_state_dict,
    lr_scheduler_state_dict,
)
from nip.trainers.tensor.learning.optimizers import load_optimizer_state_dict, optimizer_state_dict
from nip.trainers.tensor.learning.update_step import UpdateStep
from nip.utils.ranks import current_ranks


def _ignore_event(event: Event) -> None:
    """Do nothing, where there are no callbacks."""


class Learner:
    """Updates agents from minibatches.

    Parameters
    ----------
    agents : CombinedAgents
        The agents.
    objective : Objective
        Computes the losses and their gradients.
    optimizer : Optimizer
        Updates the parameters.
    lr_scheduler : LRScheduler, optional
        Changes the learning rates; None keeps them constant.
    update_step : UpdateStep
        Turns gradients into steps of the optimizer.
    loss_terms : sequence of LossTerm
        Terms added to the losses.
    steps_schedule : bool
        Whether the schedule counts steps rather than iterations.
    context : TrainingContext, optional
        Receives the number of steps, the minibatch and its metrics.
    notify : callable
        Called with ``on_step_start`` and ``on_step_end``.
    """

    def __init__(
        self,
        agents: CombinedAgents,
        objective: Objective,
        optimizer: Optimizer,
        lr_scheduler: LRScheduler | None = None,
        update_step: UpdateStep | None = None,
        *,
        loss_terms: Sequence[LossTerm] = (),
        steps_schedule: bool = False,
        context: TrainingContext | None = None,
        notify: Callable[[Event], None] = _ignore_event,
    ) -> None:
        self.objective = objective
        self.optimizer = optimizer
        self.lr_scheduler = lr_scheduler
        self.update_step = UpdateStep() if update_step is None else update_step
        self.loss_terms = loss_terms
        self.context = context
        self.num_steps = 0
        self.names = {parameter: name for name, parameter in agents.named_parameters()}
        self.learning = {parameter for parameter in self.names if parameter.requires_grad}
        self._agents = agents
        self._device = next(iter(self.names)).device if self.names else torch.device("cpu")
        self._steps_schedule = steps_schedule
        self._notify = notify
        self.update_step.begin(optimizer, self._device)

    def autocast(self) -> AbstractContextManager:
        """Return a context in which networks compute in the precision of the update step."""
        return self.update_step.autocast(self._device)

    def step(self, minibatch: TensorDictBase) -> TensorDictBase:
        """Learn from a minibatch, and return its metrics, all detached scalars.

        With gradient accumulation, the weights change only after several minibatches.
        """
        if self.context is not None:
            self.context.batch = minibatch
        if self.update_step.is_empty:
            self._notify("on_step_start")
        metrics, has_stepped = self.update_step.step(
            lambda: self._losses(minibatch), self.objective, self._iteration
        )
        if self.context is not None:
            self.context.step_metrics = metrics
        if self.update_step.is_empty:
            self._after_step(has_stepped)
        return metrics

    def finish_iteration(self) -> None:
        """Take the last, smaller step of an accumulation, and advance objective and schedule.

        Running statistics, which each rank computes from its own frames, are averaged over ranks.
        """
        if not self.update_step.is_empty:
            self._after_step(self.update_step.finish(self._iteration) is not None)
        self.objective.finish_iteration()
        current_ranks().average_buffers(self._agents)
        if self.lr_scheduler is not None and not self._steps_schedule:
            self.lr_scheduler.step()

    @property
    def learning_rate(self) -> float:
        """Learning rate of the first parameter group."""
        return float(self.optimizer.param_groups[0]["lr"])

    def state_dict(self) -> dict[str, Any]:
        """Return the states of optimizer, schedule, update step and objective."""
        schedule = self.lr_scheduler
        return {
            "num_steps": self.num_steps,
            "optimizer": optimizer_state_dict(self.optimizer, self.names),
            "lr_scheduler": None if schedule is None else lr_scheduler_state_dict(schedule),
            "update_step": self.update_step.state_dict(),
            "objective": self._objective_state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load what ``state_dict`` returned."""
        self.num_steps = state["num_steps"]
        if self.lr_scheduler is not None:
            load_lr_scheduler_state_dict(self.lr_scheduler, state["lr_scheduler"])
        load_optimizer_state_dict(self.optimizer, self.names, state["optimizer"])
        self.update_step.load_state_dict(state["update_step"])
        self.objective.load_state_dict({**self.objective.state_dict(), **state["objective"]})
        self._record_steps()

    def _objective_state_dict(self) -> dict[str, Any]:
        """Return the objective's state dict without the agents, which it contains."""
        of_agents = {id(tensor) for tensor in self._agents.state_dict(keep_vars=True).values()}
        by_name = self.objective.state_dict(keep_vars=True)
        own = [name for name, tensor in by_name.items() if id(tensor) not in of_agents]
        state = self.objective.state_dict()
        return {name: state[name] for name in own}

    def _losses(self, minibatch: TensorDictBase) -> TensorDictBase:
        losses = self.objective(minibatch)
        if self.loss_terms:
            assert self.context is not None, "terms of the loss read the context"
            add_loss_terms(losses, self.loss_terms, minibatch, self.context)
        return losses

    def _after_step(self, has_moved: bool) -> None:
        """Count a step, unless it was skipped after an overflow of float16, and end it."""
        if has_moved:
            self.num_steps += 1
            self._record_steps()
            if self.lr_scheduler is not None and self._steps_schedule:
                self.lr_scheduler.step()
        self._notify("on_step_end")

    @property
    def _iteration(self) -> int:
        return 0 if self.context is None else self.context.iteration

    def _record_steps(self) -> None:
        if self.context is not None:
            self.context.step = self.num_steps
