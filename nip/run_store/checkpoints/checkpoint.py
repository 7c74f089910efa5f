"""The contents of a checkpoint, and the record of the best one; needs no torch."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nip.errors import CheckpointError, StorageError
from nip.run_store.database.origin import Origin
from nip.utils.files import read_text, write_atomically

if TYPE_CHECKING:
    from torch import Tensor

BEST_FILE = "best.json"
"""File in the folder of all checkpoints that says which one is the best."""

MANIFEST_FILE = "manifest.json"
"""File in the folder of a checkpoint that lists the others."""

_FOLDER_NAME = re.compile(r"iteration_(\d{6,})")


@dataclass(frozen=True)
class Checkpoint:
    """State from which a trainer resumes after an iteration."""

    iteration: int
    """The last finished iteration; metrics of later iterations are not part of the checkpoint."""

    tensors: "Mapping[str, Mapping[str, Tensor]]"
    """Named groups of named tensors. Each group is one file. Loaded tensors are on the CPU."""

    state: Mapping[str, Any]
    """All other state, as JSON types with string keys. Floats are restored exactly."""

    origin: Origin = field(default_factory=lambda: Origin(""))
    """Run and parameters to which it belongs."""


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


def saved_iterations(folder: Path) -> list[int]:
    """Return the iterations of all complete checkpoints in a folder, in ascending order."""
    if not folder.is_dir():
        return []
    matches = [_FOLDER_NAME.fullmatch(path.name) for path in folder.iterdir()]
    return sorted(int(match.group(1)) for match in matches if match)


def foreign_checkpoint(folder: Path, iteration: int, origin: Origin) -> str | None:
    """Return why a checkpoint does not belong where it is, as a sentence.

    None if it does, or if its files are damaged, which is found when it is read. ``origin`` is that
    of the run.
    """
    path = checkpoint_path(folder, iteration)
    try:
        manifest = json.loads(read_text(path / MANIFEST_FILE))
        stored, difference = manifest["iteration"], Origin.from_mapping(manifest).difference(origin)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if stored != iteration:
        return f"The checkpoint {path} holds the state after iteration {stored}."
    return None if difference is None else f"The checkpoint {path} is {difference}."


def write_best(folder: Path, best: BestCheckpoint) -> None:
    """Record the best checkpoint in ``best.json``."""
    write_atomically(folder / BEST_FILE, json.dumps(asdict(best), indent=2) + "\n")


def read_best(folder: Path) -> BestCheckpoint | None:
    """Read ``best.json``; None if it does not exist or the checkpoint was deleted.

    Raises ``CheckpointError`` if it cannot be read.
    """
    path = folder / BEST_FILE
    try:
        best = BestCheckpoint(**json.loads(read_text(path)))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (StorageError, ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(
            f"{path} cannot be read: {error}. Restore it from a copy, or move it away: then no "
            "checkpoint counts as the best."
        ) from error
    return best if checkpoint_path(folder, best.iteration).is_dir() else None
