"""Loss terms: additions to the loss of any trainer of networks, by name or in Python."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Any, TypeVar

import torch
from tensordict import TensorDictBase
from torch import Tensor

from nip.errors import ParameterError, PluginError
from nip.parameters import LossTermParameters, LossTermSpec, loss_term_specs
from nip.registry import Registry, require_derived, require_name
from nip.trainers.core.context import TrainingContext

LossFunction = Callable[[TensorDictBase, TrainingContext], Tensor]
"""Computes a scalar from a minibatch and the training context."""

loss_term_registry: Registry[Any] = Registry("loss term")
"""Functions, or classes whose instances are callable, by name."""

T = TypeVar("T", bound=Callable[..., Any])


@dataclass(frozen=True)
class LossTerm:
    """A loss term and its weight."""

    name: str
    """Name of the term; its metric is ``loss_<name>``."""

    weight: float
    """Factor of the term; with 0 it is not computed."""

    function: LossFunction
    """Computes the term."""


def register_loss_term(
    name: str, *, parameters: type[LossTermParameters] = LossTermParameters
) -> Callable[[T], T]:
    """Register a loss term under a name.

    A function is called with the minibatch, the context and its options as keywords. A class is
    instantiated with its options for each training, and the instance is called with minibatch and
    context.

    Parameters
    ----------
    name : str
        Name that selects it in an entry of ``loss_terms``.
    parameters : type, optional
        Class of the options. The weight among them is applied to the result, not passed on.
    """
    require_name("register_loss_term", name)
    require_derived(f"parameters of the loss term {name!r}", parameters, LossTermParameters)

    def decorate(term: T) -> T:
        if not _gives_values(term):
            raise PluginError(
                f"The loss term {name!r} must be a function, or a class whose instances are "
                f"callable, got {term!r}. Decorate its definition."
            )
        if name not in loss_term_specs:
            loss_term_specs.register(name, LossTermSpec(parameters))
        loss_term_registry.register(name, term)
        return term

    return decorate


def _gives_values(term: object) -> bool:
    """Return whether a term, or each instance of a class of terms, can be called."""
    if isinstance(term, type):
        return any("__call__" in vars(cls) for cls in term.__mro__)
    return callable(term)


def build_loss_terms(
    chosen: Iterable[LossTermParameters], added: Iterable[Any] = ()
) -> list[LossTerm]:
    """Build terms of the registry, and of pairs (weight, function), named after the function."""
    terms = []
    for params in chosen:
        options = params.options
        weight = options.pop("weight")
        term = loss_term_registry[params.name]
        function = term(**options) if isinstance(term, type) else partial(term, **options)
        terms.append(LossTerm(params.name, weight, function))
    return terms + [_checked(*_pair(entry)) for entry in added]


def _pair(entry: Any) -> tuple[Any, Any]:
    """Return weight and function of a term that was passed in Python."""
    if isinstance(entry, tuple | list) and len(entry) == 2 and callable(entry[1]):
        return entry[0], entry[1]
    raise ParameterError(
        f"A term of the loss must be a pair (weight, function), got {entry!r}. Write for example "
        "(0.1, my_term)."
    )


def _checked(weight: Any, function: LossFunction) -> LossTerm:
    if not isinstance(weight, int | float) or not 0 <= weight < inf:
        raise ParameterError(
            f"The weight of the loss term {_name_of(function)!r} must be a finite number, at least "
            f"0, got {weight!r}. Change the sign within the function."
        )
    return LossTerm(_name_of(function), weight, function)


def add_loss_terms(
    losses: TensorDictBase,
    terms: Sequence[LossTerm],
    batch: TensorDictBase,
    context: TrainingContext,
) -> TensorDictBase:
    """Write each term, times its weight, into the losses as ``loss_<name>``; return the losses.

    A name that is taken gets a number: ``loss_l2``, ``loss_l2_2``. Terms of weight 0 are not
    computed.
    """
    for term in terms:
        if term.weight != 0:
            key = _free_key(term, losses.keys())
            value = term.function(batch, context)
            if not isinstance(value, Tensor) or value.ndim > 0:
                raise ParameterError(
                    f"The loss term {term.name!r} must return a tensor with a single number, got "
                    f"{tuple(value.shape) if isinstance(value, Tensor) else value!r}. Take the "
                    "mean or the sum."
                )
            losses.set(key, term.weight * value)
    return losses


def term_metric_names(
    terms: Sequence[LossTerm | LossTermParameters], taken: Collection[str] = ()
) -> frozenset[str]:
    """Return the names under which terms are logged, given the names that are taken."""
    names: list[str] = []
    for term in terms:
        if term.weight != 0:
            names.append(_free_key(term, {*taken, *names}))
    return frozenset(names)


def _free_key(term: LossTerm | LossTermParameters, taken: Collection[str]) -> str:
    key, number = f"loss_{term.name}", 2
    while key in taken:
        key, number = f"loss_{term.name}_{number}", number + 1
    return key


@register_loss_term("l2")
def l2(_: TensorDictBase, context: TrainingContext) -> Tensor:
    """Return the sum of the squares of all parameters that are not frozen."""
    squares = [p.square().sum() for p in context.parameters if p.requires_grad]
    return sum(squares, torch.zeros((), device=context.device))


@register_loss_term("proximal")
class Proximal:
    """Half the squared distance of the parameters to their values at the start of the iteration.

    It keeps agents that learn from different data close to each other (FedProx: Li et al., 2020,
    "Federated optimization in heterogeneous networks", equation 2).
    """

    def __init__(self) -> None:
        self._iteration: int | None = None
        self._start: list[Tensor] = []

    def __call__(self, batch: TensorDictBase, context: TrainingContext) -> Tensor:
        """Return the term; the first minibatch of an iteration sets the reference."""
        parameters = context.parameters
        if context.iteration != self._iteration:
            self._iteration = context.iteration
            self._start = [parameter.detach().clone() for parameter in parameters]
        distances = [
            (parameter - start).square().sum()
            for parameter, start in zip(parameters, self._start, strict=True)
            if parameter.requires_grad
        ]
        return 0.5 * sum(distances, torch.zeros((), device=context.device))


def _name_of(function: LossFunction) -> str:
    """Return the name of a function, or of the class of a callable object."""
    name = getattr(function, "__name__", type(function).__name__)
    return name if name.isidentifier() else "term"
