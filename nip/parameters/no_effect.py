"""Options that change nothing in the chosen combination."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nip.parameters.hyper_parameters import HyperParameters


def options_without_effect(hyper_params: HyperParameters) -> Iterator[str]:
    """Yield a message for each option that differs from its default but changes nothing."""
    yield from ()
