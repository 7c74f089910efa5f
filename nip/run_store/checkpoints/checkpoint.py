"""The contents of a checkpoint, and the record of the best one; needs no torch."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nip.utils.files import write_atomically

if TYPE_CHECKING:
    from torch import Tensor

BEST_FILE = "best.json"
"""File in the folder of all checkpoints that says which one is the best."""


@dataclass(frozen=True)
class Checkpoint:
    """State from which a trainer resumes after an iteration."""

    iteration: int
    """The last finished iteration; metrics of later iterations are not part of the checkpoint."""

    tensors: "Mapping[str, Mapping[str, Tensor]]"
    """Named groups of named tensors. Each group is one file. Loaded tensors are on the CPU."""

    state: Mapping[str, Any]
    """All other state, as JSON types with string keys. Floats are restored exactly."""


@dataclass(frozen=True)
class BestCheckpoint:
    """The checkpoint with the best value of the monitored metric."""

    iteration: int
    """The iteration after which it was saved."""

    metric: str
    """Name of the monitored metric."""

    value: float
    """Value of that metric."""


def checkpoint_path(folder: Path, iteration: int) -> Path:
    """Return the path of the checkpoint of an iteration, whether it exists or not."""
    return folder / f"iteration_{iteration:06d}"


def write_best(folder: Path, best: BestCheckpoint) -> None:
    """Record the best checkpoint in ``best.json``."""
    write_atomically(folder / BEST_FILE, json.dumps(asdict(best), indent=2) + "\n")


def read_best(folder: Path) -> BestCheckpoint | None:
    """Read ``best.json``; None if it does not exist or the checkpoint was deleted."""
    try:
        best = BestCheckpoint(**json.loads((folder / BEST_FILE).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    return best if checkpoint_path(folder, best.iteration).is_dir() else None
