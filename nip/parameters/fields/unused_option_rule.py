"""Rule that says under which condition options have no effect."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class UnusedOptionRule:
    """Options that have no effect under some condition.

    A group of parameters states rules about its own fields in ``unused_rules``; the spec of a
    trainer, protocol or scenario states rules about any options.
    """

    options: tuple[str, ...]
    """Names of the options: fields of the group, or dotted names from the root in a spec. The name
    of a group stands for all of its fields."""

    reason: str
    """Why they have no effect; it completes the sentence ``rl.lr=0.1 has no effect ...``."""

    applies: Callable[..., bool] = lambda *_: True
    """Whether the options have no effect. It is called with the group and the whole tree, in a spec
    with the whole tree alone."""
