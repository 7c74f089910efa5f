"""Making the folder of a run, or finding that it may be gone on with."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nip.errors import ParameterError, ResumeError
from nip.experiment_settings import ExperimentSettings
from nip.parameters.yaml_text import dump
from nip.run_store.environment import append_start, describe_start
from nip.run_store.resume_check import check_same_parameters, store_parameters
from nip.run_store.run_id import check_run_id, describe_existing, is_run_folder
from nip.utils.file_lock import FileLock
from nip.utils.files import flush_to_disk, remove_temporary_files, write_atomically

ResumePolicy = Literal["auto", "must", "never"]

_CREATING = ".creating"
_LOCK_NAME = ".lock"


@dataclass(frozen=True)
class OpenedFolder:
    """A run folder that this process may write to."""

    path: Path
    """Where the run lies."""

    is_new: bool
    """Whether it was made just now."""

    lock: FileLock
    """The lock that keeps other processes out."""


def open_run_folder(
    settings: ExperimentSettings, run_id: str, parameters: Mapping[str, Any], resume: ResumePolicy
) -> OpenedFolder:
    """Make or find the folder of a run and lock it; see ``Run.open``."""
    check_run_id(run_id)
    folder = Path(settings.runs_dir) / run_id
    _check_policy(folder, resume)
    with _no_other_opening(folder.parent):
        _check_policy(folder, resume)
        is_new = _is_vacant(folder)
        if is_new:
            _create(folder, parameters, settings)
        else:
            check_same_parameters(folder, parameters)
        lock = _lock(folder)
    try:
        if not is_new:
            remove_temporary_files(folder)
    except BaseException:
        lock.release()
        raise
    return OpenedFolder(folder, is_new, lock)


def _is_vacant(folder: Path) -> bool:
    """Tell whether a run may be made here; an empty folder is as good as none."""
    return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))


def _check_policy(folder: Path, resume: ResumePolicy) -> None:
    run_id, runs_dir = folder.name, folder.parent
    if _is_vacant(folder):
        if resume == "must":
            raise ResumeError(
                f"There is no run {run_id!r} to resume, and resume=must forbids a new one. "
                f"{describe_existing(run_id, runs_dir)} To begin it, use resume=auto."
            )
    elif not is_run_folder(folder):
        raise ResumeError(
            f"{folder} exists but holds no run (no hyper_params.yaml). Choose another run_id, or "
            "move it out of the way."
        )
    elif resume == "never":
        raise ResumeError(
            f"Run {run_id!r} exists already in {runs_dir}, and resume=never forbids to go on with "
            "it. Choose another run_id, or use resume=auto."
        )


@contextmanager
def _no_other_opening(runs_dir: Path) -> Iterator[None]:
    """Let one process at a time open a run, so that two cannot both make the same one."""
    try:
        runs_dir.mkdir(parents=True, exist_ok=True)
        lock = FileLock(runs_dir / _LOCK_NAME)
        lock.acquire(wait=True)
    except OSError as error:
        raise ParameterError(
            f"Runs cannot be written to settings.runs_dir={str(runs_dir)!r}: {error.strerror}. "
            "Choose a folder that can be written to."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _create(
    folder: Path,
    parameters: Mapping[str, Any],
    settings: ExperimentSettings,
) -> None:
    """Make the folder of a run under a hidden name and let it appear when it is complete."""
    temporary = folder.with_name(f".{folder.name}{_CREATING}")
    if temporary.exists():  # left by a process that was killed just here
        shutil.rmtree(temporary)
    temporary.mkdir()
    store_parameters(temporary, parameters)
    note_start(temporary, settings)
    temporary.rename(folder)
    flush_to_disk(folder.parent)


def note_start(folder: Path, settings: ExperimentSettings) -> None:
    """Write down when, where and how the run was started once more."""
    append_start(folder / "environment.json", describe_start(settings.to_dict()))
    write_atomically(folder / "settings.yaml", dump(settings.to_dict()))


def _lock(folder: Path) -> FileLock:
    lock = FileLock(folder / _LOCK_NAME)
    if not lock.acquire(wait=False):
        raise ResumeError(
            f"Run {folder.name!r} is in use by {lock.holder()}. Wait until it has ended, or choose "
            "another run_id."
        )
    return lock
