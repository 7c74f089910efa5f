"""Parameters of the terms that may be added to a loss."""

from __future__ import annotations

from dataclasses import dataclass

from nip.parameters.named_components import NamedComponent
from nip.parameters.parameters_base import register_parameter_class
from nip.parameters.types import NonNegative
from nip.registry import Registry


@register_parameter_class
@dataclass
class LossTermParameters(NamedComponent):
    """A term of the loss with no option but its weight; derived classes have others."""

    weight: NonNegative = 1.0
    """Factor on the term; 0 leaves it out."""


@dataclass(frozen=True)
class LossTermSpec:
    """What the parameters must know of a term of the loss."""

    parameters: type[LossTermParameters] = LossTermParameters
    """Class of its options."""


loss_term_specs: Registry[LossTermSpec] = Registry("loss term")
"""Facts of all terms by name."""

loss_term_specs.register("l2", LossTermSpec())
loss_term_specs.register("proximal", LossTermSpec())
