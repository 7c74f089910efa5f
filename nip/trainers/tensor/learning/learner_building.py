"""Building a learner from hyper-parameters and components."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nip.errors import ParameterError
from nip.parameters import HyperParameters
from nip.rl_objectives import Objective
from nip.scenario_base.combined_agents import CombinedAgents
from nip.scenario_base.compilation import Compilation
from nip.trainers.tensor.learning.learner import Learner
from nip.trainers.tensor.learning.loss_terms import build_loss_terms
from nip.trainers.tensor.learning.lr_schedules import build_lr_scheduler
from nip.trainers.tensor.learning.optimizers import build_optimizer
from nip.trainers.tensor.learning.owned_parameters import owned_parameters, owner_modules
from nip.trainers.tensor.learning.update_step import UpdateStep
from nip.utils.ranks import current_ranks

if TYPE_CHECKING:
    from nip.trainers.trainer_base import TensorDictTrainer


def build_learner(
    trainer: TensorDictTrainer,
    objective: Objective,
    *,
    learning_rate: float,
    max_grad_norm: float | None,
    eps: float | None = None,
    compilation: Compilation | None = None,
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
    compilation : Compilation, optional
        How the objective is compiled; None: not at all.
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
    if compilation is not None:
        check_compilation(compilation, update_step)
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
        compilation=compilation,
    )


def check_compilation(compilation: Compilation, update_step: UpdateStep) -> None:
    """Raise ``ParameterError`` for what compiled updates cannot do."""
    if current_ranks().size > 1:
        raise ParameterError(
            "settings.compile needs minibatches of constant size, but each of "
            f"{current_ranks().size} processes has its share of the frames. Start one process, or "
            "set settings.compile=off."
        )
    if compilation.with_graphs and update_step.num_accumulation_steps > 1:
        raise ParameterError(
            "settings.compile='graphs' overwrites the gradients of each minibatch, but "
            f"update_step.num_accumulation_steps={update_step.num_accumulation_steps} adds them "
            "up. Set it to 1, or settings.compile=default."
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
