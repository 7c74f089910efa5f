"""The learner: loss, optimizer, learning-rate schedule and update step in one object."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from tensordict import TensorDict, TensorDictBase
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from nip.errors import ParameterError, warn_user
from nip.rl_objectives import Objective
from nip.scenario_base.combined_agents import CombinedAgents
from nip.scenario_base.compilation import Compilation
from nip.trainers.core.callback import Event
from nip.trainers.core.context import TrainingContext
from nip.trainers.tensor.learning.compiled_objective import compiled_objective
from nip.trainers.tensor.learning.gradient_check import GradientCheck
from nip.trainers.tensor.learning.joint_adam import SKIP, JointAdam, JointAdamW
from nip.trainers.tensor.learning.loss_checks import (
    check_losses,
    check_reached,
    explain_missing_key,
)
from nip.trainers.tensor.learning.loss_terms import LossTerm, add_loss_terms
from nip.trainers.tensor.learning.lr_schedules import (
    load_lr_scheduler_state_dict,
    lr_scheduler_state_dict,
)
from nip.trainers.tensor.learning.optimizers import (
    NOTHING,
    load_optimizer_state_dict,
    optimizer_state_dict,
)
from nip.trainers.tensor.learning.owned_parameters import (
    OBJECTIVE,
    load_owned_state_dict,
    owned_parameters,
    owned_state_dict,
    owner_modules,
    plain_tensors,
)
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
    compilation : Compilation, optional
        How the objective is compiled; None: not at all.
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
        compilation: Compilation | None = None,
    ) -> None:
        self.objective = objective
        self.optimizer = optimizer
        self.lr_scheduler = lr_scheduler
        self.update_step = UpdateStep() if update_step is None else update_step
        self.loss_terms = loss_terms
        self.context = context
        self.num_steps = 0
        self.owners = owner_modules(objective, loss_terms)
        self.names = {parameter: name for name, parameter in agents.named_parameters()}
        for owned in owned_parameters(agents, self.owners).values():
            self.names |= {parameter: name for name, parameter in owned.items()}
        self.learning = {parameter for parameter in self.names if parameter.requires_grad}
        trainable = {each for group in optimizer.param_groups for each in group["params"]}
        self._frozen: dict[torch.Tensor, str] = {
            parameter: name
            for parameter, name in self.names.items()
            if not parameter.requires_grad and parameter not in trainable
        }
        self._agents = agents
        self._source = type(objective).__name__
        trained = [
            parameter
            for group in optimizer.param_groups
            for parameter in group["params"]
            if parameter.requires_grad and group.get("name") != NOTHING
        ]
        self._gradient_check = GradientCheck(agents, trained, self._source)
        self._compute_losses: Callable[[TensorDictBase], object] = objective
        if compilation is not None:
            self._compute_losses = compiled_objective(objective, compilation)
        self._has_checked_graph = False
        self._metrics: TensorDictBase = TensorDict()
        self._had_turn: torch.Tensor | None = None
        self._device = next(iter(self.names)).device if self.names else torch.device("cpu")
        self._steps_schedule = steps_schedule
        self._notify = notify
        self.update_step.defers_checks = agents.fixed_shapes
        self.update_step.begin(optimizer, self._device)

    def autocast(self) -> AbstractContextManager:
        """Return a context in which networks compute in the precision of the update step."""
        return self.update_step.autocast(self._device)

    def step(self, minibatch: TensorDictBase) -> TensorDictBase:
        """Learn from a minibatch, and return its metrics, all detached scalars.

        With gradient accumulation, the weights change only after several minibatches. The metrics
        of the last of them have the ``grad_norm``; of the last ones of an iteration, it is added
        by ``finish_iteration``.
        """
        if self.context is not None:
            self.context.batch = minibatch
        if self.update_step.is_empty:
            self._notify("on_step_start")
            self._had_turn = None
        if self._agents.fixed_shapes and not self.loss_terms:
            self._skip_absent(minibatch)
        losses = TensorDict()

        def compute() -> TensorDictBase:
            nonlocal losses
            losses = self._losses(minibatch)
            return losses

        metrics, has_stepped = self.update_step.step(compute, self.objective, self._iteration)
        self._metrics = metrics
        self._gradient_check.record(minibatch, losses)
        if self.context is not None:
            self.context.step_metrics = metrics
        if self.update_step.is_empty:
            self._after_step(has_stepped)
        return metrics

    def finish_iteration(self) -> None:
        """Take the last, smaller step of an accumulation, and advance objective and schedule.

        The ``grad_norm`` of that step is added to the metrics of the last minibatch.
        Running statistics, which each rank computes from its own frames, are averaged over ranks.
        """
        if not self.update_step.is_empty:
            found = self.update_step.finish(self._iteration)
            if found is not None:
                self._metrics.update(found)
            self._after_step(found is not None)
        self.update_step.check_finite()
        self._gradient_check.finish_iteration()
        # A term of the loss may begin in a later iteration, so the graph is checked in each one.
        self._has_checked_graph = False
        self.objective.finish_iteration()
        current_ranks().average_buffers(self._agents, *self.owners.values())
        if self.lr_scheduler is not None and not self._steps_schedule:
            self.lr_scheduler.step()

    def finish_epoch(self) -> None:
        """Require finite losses and gradients, if steps on the device have not checked them.

        Raises
        ------
        DivergenceError, NonFiniteLoss
            As in ``UpdateStep.check_finite``.
        """
        self.update_step.check_finite()

    def record_step(self) -> None:
        """Count a step that was taken together with other runs, and end it."""
        self.update_step.has_learnt = True
        self._after_step(True)

    @property
    def learning_rate(self) -> float:
        """Learning rate of the first parameter group."""
        return float(self.optimizer.param_groups[0]["lr"])

    def state_dict(self) -> dict[str, Any]:
        """Return the states of optimizer, schedule, update step, objective and loss terms."""
        schedule = self.lr_scheduler
        names = {**self.names, **self._unowned()}
        owned = {n: owned_state_dict(self._agents, owner) for n, owner in self.owners.items()}
        unowned = {name: parameter.detach() for parameter, name in self._unowned().items()}
        objective = owned.pop(OBJECTIVE)
        return {
            "num_steps": self.num_steps,
            "optimizer": optimizer_state_dict(self.optimizer, names),
            "lr_scheduler": None if schedule is None else lr_scheduler_state_dict(schedule),
            "update_step": self.update_step.state_dict(),
            "objective": objective,
            **({"loss_terms": owned} if owned else {}),
            **({"unowned": unowned} if unowned else {}),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load what ``state_dict`` returned."""
        self.num_steps = state["num_steps"]
        self._leave_out_untrained(len(state["optimizer"]["param_groups"]))
        if self.lr_scheduler is not None:
            load_lr_scheduler_state_dict(self.lr_scheduler, state["lr_scheduler"])
        names = {**self.names, **self._unowned()}
        load_optimizer_state_dict(self.optimizer, names, state["optimizer"])
        self.update_step.load_state_dict(state["update_step"])
        owned = {OBJECTIVE: state["objective"], **state.get("loss_terms", {})}
        for name, owner in self.owners.items():
            load_owned_state_dict(owner, owned.get(name, {}))
        for parameter, name in self._unowned().items():
            parameter.data.copy_(state.get("unowned", {}).get(name, parameter))
        self.update_step.has_learnt = self.num_steps > 0
        self._record_steps()

    def _unowned(self) -> dict[nn.Parameter, str]:
        """Return parameters that only the optimizer has, with names made of their positions."""
        return {
            parameter: f"group_{number}.{position}"
            for number, group in enumerate(self.optimizer.param_groups)
            for position, parameter in enumerate(group["params"])
            if parameter not in self.names and group.get("name") != NOTHING
        }

    def _leave_out_untrained(self, num_stored: int) -> None:
        """Keep parameters of objective and loss terms untrained if a run was started without them.

        Versions before these parameters were trained have stored no groups of them.
        """
        groups, owners = self.optimizer.param_groups, tuple(self.owners)
        extra = groups[num_stored:]
        if not extra or any(group.get("name") not in owners for group in extra):
            return
        warn_user(
            f"This run was started by a version that did not train the parameters of "
            f"{' and '.join(group['name'] for group in extra)}; they stay as they are. Start a new "
            "run to train them."
        )
        del groups[num_stored:]
        for group in extra:
            for parameter in group["params"]:
                parameter.requires_grad_(False)
                self.learning.discard(parameter)

    def _skip_absent(self, minibatch: TensorDictBase) -> None:
        """Tell Adam to leave agents without a frame in this step as they are.

        With compact rows these have no gradient, so that their moments do not change. With fixed
        shapes their gradients are 0, and whether they had a frame is known on the device alone.
        """
        nested = minibatch.get("agents", None)
        if not isinstance(self.optimizer, JointAdam | JointAdamW) or nested is None:
            return
        counts = nested["active"].any(-1)
        if "value_known" in nested.keys():
            counts = counts | nested["value_known"]
        has_turn = counts.any(0)
        before = has_turn if self._had_turn is None else self._had_turn
        self._had_turn = before | has_turn
        is_absent = (current_ranks().mean_(self._had_turn.float()) == 0).float().unbind()
        by_name = dict(zip(self._agents.names, is_absent, strict=True))
        for group in self.optimizer.param_groups:
            group[SKIP] = by_name.get(group.get("name", "").partition(".")[0])

    def _losses(self, minibatch: TensorDictBase) -> TensorDictBase:
        try:
            losses = check_losses(self._compute_losses(minibatch), self.objective)
        except KeyError as error:
            explain_missing_key(error, minibatch, self._source)
            raise
        if self.loss_terms:
            assert self.context is not None, "terms of the loss read the context"
            own = {*losses.keys()}
            add_loss_terms(losses, self.loss_terms, minibatch, self.context)
            self.update_step.added_losses = {*losses.keys()} - own
        if not self._has_checked_graph:
            known = {*self.names, *self._unowned()}
            plain = plain_tensors(self.owners, self.loss_terms)
            reached = check_reached(losses, known, self._source, plain)
            self._refuse_unfrozen(reached)
            self._has_checked_graph = bool(reached)
        return losses

    def _refuse_unfrozen(self, reached: Sequence[torch.Tensor]) -> None:
        """Refuse parameters that were frozen when the optimizer was built, and are not any more."""
        if names := [self._frozen[each] for each in reached if each in self._frozen]:
            listed = ", ".join(names[:4]) + ", ..." * (len(names) > 4)
            raise ParameterError(
                f"{listed} require gradients now, but did not when the optimizer was built, so "
                "they would not be trained. Let them require gradients from the start, or leave "
                "them frozen."
            )

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
