"""Parameters as a plugin defines them."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from nip.parameters import LrFactors, SubParameters, register_parameter_class


@register_parameter_class
@dataclass
class PluginParameters(SubParameters):
    """What an outside trainer brings along."""

    temperature: Annotated[float, Ge(0)] = 1.0
    """Softness of the target."""

    order: tuple[tuple[str, ...], ...] | None = None
    """Who moves first."""

    factors: LrFactors | dict | None = None
    """Factors, declared in the way of unions."""
