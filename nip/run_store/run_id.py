"""Validation and listing of run ids, which are folder names."""

import itertools
import os
import re
from collections.abc import Sequence
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from nip.errors import ParameterError, did_you_mean, shown

_ALLOWED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MAX_LENGTH = 100
_MAX_LISTED = 10
"""Largest number of runs in a message."""

_LENGTH_OF_NUMBER = 5
"""Room for the number of a generated run id that is taken already."""


def check_run_id(run_id: Any, name: str = "run_id") -> None:
    """Raise ``ParameterError`` if a run id is not a valid folder name on all systems.

    It must be text, not be too long, begin with a letter or digit, and have only letters, digits,
    ``.``, ``_`` and ``-``. ``name`` is the name of the parameter, for the message.
    """
    if not isinstance(run_id, str):
        raise ParameterError(
            f"{name} must be text, got {shown(run_id)}. Put it in quotes: YAML reads 1_0, 007 "
            "and 1e5 as numbers."
        )
    if not _ALLOWED.fullmatch(run_id):
        raise ParameterError(
            f"{name} must begin with a letter or digit and contain only letters, digits, '.', '_' "
            f"and '-', because it is a folder name; got {shown(run_id)}. {_suggestion(run_id)}"
        )
    if len(run_id) > _MAX_LENGTH:
        raise ParameterError(
            f"{name} must have at most {_MAX_LENGTH} characters, got {len(run_id)}: "
            f"{shown(run_id)}. Choose a shorter one."
        )


def generated_run_id(parts: Sequence[str], time: datetime) -> str:
    """Make a run id from names, of which each may be any text, and a time."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", "-".join(parts)).lstrip("._-")
    ending = f"{time:%Y%m%d-%H%M%S}"
    return f"{stem[: _MAX_LENGTH - len(ending) - _LENGTH_OF_NUMBER - 1] or 'run'}-{ending}"


def vacant_run_id(stem: str, runs_dir: Path) -> str:
    """Return the stem, or the stem with the first number from 2, that no file or folder has."""
    names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
    return next(name for name in names if not os.path.lexists(runs_dir / name))


def existing_run_ids(runs_dir: Path | str) -> list[str]:
    """Return the ids of all runs in a folder that this user may read, sorted."""
    try:
        paths = list(Path(runs_dir).iterdir())
    except OSError:  # There is no such folder, or it may not be read.
        return []
    return sorted(
        path.name for path in paths if is_run_folder(path) and _ALLOWED.fullmatch(path.name)
    )


def is_run_folder(path: Path | str) -> bool:
    """Return whether a folder is a run, which this user may read."""
    # Unlike Path.is_file, this does not raise for a folder of another user.
    return os.path.isfile(Path(path) / "hyper_params.yaml")  # noqa: PTH113


def describe_existing(run_id: str, runs_dir: Path | str) -> str:
    """Describe the existing runs, for error messages, with the closest name first.

    Of many, those with the nearest names are listed, or the newest if ``run_id`` is empty.
    """
    known = existing_run_ids(runs_dir)
    if not known:
        return f"There are no runs in {runs_dir}."
    suggestion = did_you_mean(run_id, known)
    listed, title = known, f"Runs in {runs_dir}"
    if len(known) > _MAX_LISTED:
        newest = [] if run_id else sorted(known, key=lambda name: _age(Path(runs_dir) / name))
        listed = newest[:_MAX_LISTED] or get_close_matches(run_id, known, _MAX_LISTED, cutoff=0.0)
        title = f"The {'newest' if newest else 'nearest'} of {len(known)} runs in {runs_dir}"
    return f"{suggestion + ' ' if suggestion else ''}{title}: {', '.join(listed)}."


def _age(folder: Path) -> float:
    try:
        return -folder.stat().st_mtime
    except OSError:  # It was just deleted.
        return 0.0


def _suggestion(run_id: str) -> str:
    cleaned = re.sub(r"[^A-Za-z0-9._-]+", "_", run_id).strip("._-")
    return f"For example: {cleaned[:_MAX_LENGTH]}" if cleaned else "For example: my_run"
