"""Checks of what an objective returns, so that nothing is silently left unlearnt."""

from collections.abc import Collection
from typing import Any

import torch
from tensordict import TensorDict, TensorDictBase
from torch import Tensor

from nip.errors import ParameterError
from nip.rl_objectives import Objective
from nip.trainers.tensor.learning.owned_parameters import parameters_in_graph

ESTIMATED_KEYS = ("advantage", "value_target", "reward_to_go")
"""Keys under ``agents`` that the built-in advantage estimators write."""


def check_loss_pair(made: object, source: str) -> tuple[Objective, Any]:
    """Return the loss module and the advantage estimator, or None, that a builder of losses made.

    Parameters
    ----------
    made : object
        What the builder returned.
    source : str
        Name of the builder, for messages.

    Raises
    ------
    ParameterError
        If it is not such a pair.
    """
    rule = f"{source} must return a pair: a loss module, and its advantage estimator or None"
    if not isinstance(made, tuple | list) or len(made) != 2:
        raise ParameterError(
            f"{rule}, got {_described(made)}. Return (loss_module, "
            "loss_module.value_estimator), or (loss_module, None) for a loss without advantages."
        )
    loss_module, estimator = made
    if not isinstance(loss_module, Objective):
        raise ParameterError(
            f"{rule}, got {_described(loss_module)} as the loss module. Derive its class from "
            "nip.rl_objectives.Objective."
        )
    if estimator is not None and not callable(estimator):
        raise ParameterError(
            f"{rule}, got {_described(estimator)} as the estimator. Return a callable that adds "
            "advantages to a collected batch, such as loss_module.value_estimator, or None."
        )
    return loss_module, estimator


def estimate_advantages(estimator: Any, batch: TensorDict) -> TensorDict:
    """Return a collected batch, (environment, step), with what an estimator adds to it.

    The estimator either changes the batch in place, or returns another one.

    Raises
    ------
    ParameterError
        If the batch lacks a key that the estimator reads, or the estimator returns something else.
    """
    try:
        estimated = estimator(batch)
    except KeyError as error:
        raise ParameterError(
            f"The advantage estimator, {_described(estimator)}, reads a key that the collected "
            f"batch does not have: {error}. If it needs the values of critics, needs_values of the "
            "trainer must return True."
        ) from error
    if estimated is None:
        return batch
    if not isinstance(estimated, TensorDictBase) or estimated.batch_size != batch.batch_size:
        raise ParameterError(
            f"The advantage estimator, {_described(estimator)}, must return the batch with its "
            f"entries added, of batch size {tuple(batch.batch_size)}, got {_described(estimated)}. "
            "Return the batch that it was given."
        )
    return estimated


def check_losses(losses: object, objective: Objective) -> TensorDictBase:
    """Return the losses of an objective.

    Raises
    ------
    ParameterError
        If they are not a TensorDict of scalars, at least one of them a loss.
    """
    source = f"{type(objective).__name__}.forward"
    if not isinstance(losses, TensorDictBase):
        raise ParameterError(
            f"{source} must return a TensorDict of scalars, got {_described(losses)}. Return "
            'TensorDict({"loss_objective": loss}).'
        )
    for name, value in losses.items():
        if not isinstance(value, Tensor) or value.ndim > 0:
            raise ParameterError(
                f"{source} must return scalars, got {_described(value)} as {name!r}. Average it, "
                "over an agent's turns with policy_mean of its frames."
            )
    has_own_rule = type(objective).backward is not Objective.backward
    if not has_own_rule and not any(name.startswith("loss_") for name in losses.keys()):
        names = ", ".join(sorted(losses.keys())) or "nothing"
        raise ParameterError(
            f"{source} must return at least one loss, whose name begins with 'loss_', got {names}. "
            "Rename what is to be minimised, for example to 'loss_objective', or override backward."
        )
    return losses


def check_reached(
    losses: TensorDictBase,
    known: Collection[Tensor],
    source: str,
    plain: Collection[Tensor] = (),
) -> list[Tensor]:
    """Raise ``ParameterError`` if a loss depends on parameters that nobody trains or saves.

    Parameters
    ----------
    losses : TensorDictBase
        The losses of a minibatch, before the backward pass.
    known : collection of Tensor
        Parameters of agents, objective, loss terms and optimizer.
    source : str
        Name of the class of the objective, for messages.
    plain : collection of Tensor
        Tensors of the objective that require gradients, but are no parameters.

    Returns
    -------
    reached : list of Tensor
        The parameters on which they depend.
    """
    terms = [losses[name] for name in losses.keys() if name.startswith("loss_")]
    reached = parameters_in_graph(terms, plain)
    lost = [parameter for parameter in reached if parameter not in known]
    if lost:
        shapes = ", ".join(str(tuple(parameter.shape)) for parameter in lost[:4])
        raise ParameterError(
            f"The loss of {source} depends on {len(lost)} parameters that are neither trained nor "
            f"saved, of shapes {shapes}{', ...' * (len(lost) > 4)}. Build their module in the "
            "objective's __init__ as an attribute (several in an nn.ModuleList), or make the loss "
            "term that has them an nn.Module; make a tensor an nn.Parameter, or detach it."
        )
    return reached


def explain_missing_key(error: KeyError, minibatch: TensorDictBase, source: str) -> None:
    """Raise ``ParameterError`` if an objective has failed because there is no estimate."""
    agents = minibatch.get("agents", None)
    present = () if agents is None else agents.keys()
    missing = [key for key in ESTIMATED_KEYS if key not in present and f'"{key}"' in str(error)]
    if missing:
        raise ParameterError(
            f"The minibatch of {source} has no ('agents', {missing[0]!r}), which an advantage "
            "estimator writes. Call make_value_estimator of the loss module, and return its "
            "value_estimator as the second value of _get_loss_module_and_gae."
        ) from error


def _described(value: object) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, torch.nn.Module):
        return f"a module of class {type(value).__name__}"
    if isinstance(value, int | float | str | None):
        return f"{type(value).__name__} {value!r}"
    return f"an object of class {type(value).__name__}"
