"""Building a learner from hyper-parameters and components."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nip.parameters import HyperParameters
from nip.rl_objectives import Objective
from nip.scenario_base.combined_agents import CombinedAgents
from nip.trainers.tensor.learning.learner import Learner
from nip.trainers.tensor.learning.loss_terms import build_loss_terms
from nip.trainers.tensor.learning.lr_schedules import build_lr_scheduler
from nip.trainers.tensor.learning.optimizers import build_optimizer
from nip.trainers.tensor.learning.owned_parameters import owned_parameters, owner_modules
from nip.trainers.tensor.learning.update_step import UpdateStep

if TYPE_CHECKING:
    from nip.trainers.trainer_base import TensorDictTrainer


def build_learner(
    trainer: TensorDictTrainer,
    objective: Objective,
    *,
    learning_rate: float,
    max_grad_norm: float | None,
    eps: float | None = None,
    **rules: Any,
) -> Learner:
    """Build the learner of a trainer.

    Parameters
    ----------
    trainer : TensorDictTrainer
        The trainer. Its components take precedence over its parameters.
    objective : Objective
        Computes the losses. Its own parameters, and those of loss terms, are trained with the base
        learning rate.
    learning_rate : float
        Base learning rate.
    max_grad_norm : float, optional
        Limit on the norm of the joint gradient.
    eps : float, optional
        Epsilon of the optimizer if the parameters do not set it. None: PyTorch's default.
    **rules : callable
        ``select`` and ``params_of`` of ``build_optimizer``.
    """
    params, components = trainer.hyper_params, trainer.components
    agents: CombinedAgents = trainer.agents
    loss_terms = build_loss_terms(params.loss_terms, components.loss_terms)
    loss_terms += trainer.own_loss_terms
    owners = owner_modules(objective, loss_terms)
    for owner in owners.values():
        owner.to(trainer.device)
    optimizer = build_optimizer(
        agents,
        learning_rate,
        params.optimizer,
        eps=eps,
        factory=components.optimizer,
        owned=owned_parameters(agents, owners),
        **rules,
    )
    update_step = components.update_step or build_update_step(params, max_grad_norm)
    schedule = trainer.lr_schedule
    lr_scheduler = build_lr_scheduler(
        optimizer, schedule, trainer.num_schedule_intervals, components.lr_scheduler
    )
    return Learner(
        agents,
        objective,
        optimizer,
        lr_scheduler,
        update_step,
        loss_terms=loss_terms,
        steps_schedule=schedule.interval == "step",
        context=trainer.context,
        notify=trainer.notify,
    )


def build_update_step(params: HyperParameters, max_grad_norm: float | None) -> UpdateStep:
    """Build the update step from the parameters."""
    step = params.update_step
    return UpdateStep(
        max_grad_norm=max_grad_norm,
        max_grad_value=step.max_grad_value,
        num_accumulation_steps=step.num_accumulation_steps,
        precision=step.precision,
        on_non_finite=step.on_non_finite,
    )
