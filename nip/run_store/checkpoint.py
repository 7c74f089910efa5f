"""What a checkpoint holds, as its writer and its reader see it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Checkpoint:
    """All that a trainer needs to go on after an iteration."""

    iteration: int
    """The last iteration that is finished; metrics of later ones do not belong to it."""

    tensors: "Mapping[str, Mapping[str, Tensor]]"
    """Named groups of named tensors; each group becomes one file. They come back on the CPU."""

    state: Mapping[str, Any]
    """Everything else, made of JSON's types with strings as keys; floats come back exactly."""
