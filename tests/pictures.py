"""Whether runs in this process draw their learning curves.

Drawing takes longer than most of the runs that tests make.
"""

from pathlib import Path
from typing import Any
from unittest.mock import patch

from nip.run_store.database.history import RunHistory
from nip.run_store.report import learning_curve
from nip.utils.files import write_atomically

NAME = "nip.run_store.report.learning_curve.draw_learning_curve"
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_draw = learning_curve.draw_learning_curve


def empty_pictures() -> Any:
    """Return a context in which runs write files without a picture where they would draw."""
    return patch(NAME, _write_signature)


def real_pictures() -> Any:
    """Return a context in which runs draw as those of users do."""
    return patch(NAME, _draw)


def _write_signature(history: RunHistory, run_id: str, path: Path | str) -> None:
    if learning_curve._panels_with_data(history):
        write_atomically(path, PNG_SIGNATURE)
