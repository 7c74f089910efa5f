"""``checkpoints/best.json``: which checkpoint of a run is the best, and by what.

Needs no torch, so that runs without networks can be asked as well.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from nip.utils.files import write_atomically

FILE_NAME = "best.json"


@dataclass(frozen=True)
class BestMark:
    """What is known about the best checkpoint."""

    iteration: int
    """The iteration after which it was saved."""

    metric: str
    """The metric in which it is the best."""

    value: float
    """Value of that metric."""


def checkpoint_path(folder: Path, iteration: int) -> Path:
    """Return where the checkpoint of an iteration lies, whether it exists or not."""
    return folder / f"iteration_{iteration:06d}"


def write_best(folder: Path, mark: BestMark) -> None:
    """Note the best checkpoint in the folder of all of them."""
    write_atomically(folder / FILE_NAME, json.dumps(asdict(mark), indent=2) + "\n")


def read_best(folder: Path) -> BestMark | None:
    """Read which checkpoint is the best; None if none was marked, or the marked one is gone."""
    try:
        mark = BestMark(**json.loads((folder / FILE_NAME).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    return mark if checkpoint_path(folder, mark.iteration).is_dir() else None
