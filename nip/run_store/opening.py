"""Creation of a run folder, or the checks before an existing run is resumed."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nip.errors import ParameterError, ResumeError
from nip.experiment_settings import ExperimentSettings
from nip.parameters.tree.yaml_text import dump
from nip.run_store.consistency import DATABASE_FILE, LOCK_NAME, check_consistency
from nip.run_store.database import RunDatabase
from nip.run_store.database.origin import ENVIRONMENT_FILE, Origin, new_identity
from nip.run_store.environment import append_start, describe_start
from nip.run_store.resume_check import check_same_parameters, store_parameters
from nip.run_store.run_id import (
    check_run_id,
    describe_existing,
    is_run_folder,
    vacant_run_id,
)
from nip.utils.file_lock import FileLock
from nip.utils.files import flush_to_disk, remove_temporary_files, storage_errors, write_atomically
from nip.utils.links import refuse_links_outside
from nip.utils.secrets import scrub_tree

ResumePolicy = Literal["auto", "must", "never"]

_CREATING = ".creating"


@dataclass(frozen=True)
class OpenedFolder:
    """A locked run folder."""

    path: Path
    """Folder of the run."""

    is_new: bool
    """Whether it was just created."""

    lock: FileLock
    """Lock that excludes other writers."""


def open_run_folder(
    settings: ExperimentSettings, run_id: str, parameters: Mapping[str, Any], resume: ResumePolicy
) -> OpenedFolder:
    """Create or check the folder of a run, and lock it; see ``Run.open``."""
    check_run_id(run_id)
    folder = Path(settings.runs_dir) / run_id
    _check_policy(folder, resume)
    with _opening_lock(folder.parent):
        check_can_open(settings, run_id, parameters, resume)
        is_new = _is_vacant(folder)
        if is_new:
            _create(folder, parameters, settings)
        lock = _lock(folder)
    try:
        if not is_new:
            remove_temporary_files(folder)
    except BaseException:
        lock.release()
        raise
    return OpenedFolder(folder, is_new, lock)


def create_run_folder(
    settings: ExperimentSettings, stem: str, parameters: Mapping[str, Any]
) -> OpenedFolder:
    """Create the folder of a new run, and lock it; its name is the stem, or the stem and a number.

    Processes that do this at the same time get one folder each.
    """
    check_run_id(stem)
    runs_dir = Path(settings.runs_dir)
    with _opening_lock(runs_dir):
        folder = runs_dir / vacant_run_id(stem, runs_dir)
        check_run_id(folder.name)
        _create(folder, parameters, settings)
        return OpenedFolder(folder, True, _lock(folder))


def check_can_open(
    settings: ExperimentSettings, run_id: str, parameters: Mapping[str, Any], resume: ResumePolicy
) -> None:
    """Check, without changing anything, that a run can be created or resumed; see ``Run.open``."""
    check_run_id(run_id)
    folder = Path(settings.runs_dir) / run_id
    _check_policy(folder, resume)
    if not _is_vacant(folder):
        _check_writable(folder)
        check_same_parameters(folder, parameters)
        refuse_links_outside(folder)
        check_consistency(folder)


def _is_vacant(folder: Path) -> bool:
    """Return whether a folder does not exist or is empty."""
    with storage_errors(folder):
        return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))


def _check_writable(folder: Path) -> None:
    """Raise ``ResumeError`` if this user may not write to an existing run."""
    paths = (folder, folder / LOCK_NAME, folder / DATABASE_FILE)
    for path in paths:
        if path.exists() and not os.access(path, os.W_OK):
            raise ResumeError(
                f"Run {folder.name!r} cannot be resumed, because you may not write to {path}, "
                f"which belongs to {_owner(path)}. Choose another run_id, or copy the folder to "
                "one of your own."
            )


def _owner(path: Path) -> str:
    try:
        return f"user {path.owner()!r}"
    except (KeyError, NotImplementedError):
        return f"user {path.stat().st_uid}"


def _check_policy(folder: Path, resume: ResumePolicy) -> None:
    run_id, runs_dir = folder.name, folder.parent
    if os.path.isdir(folder) and not os.access(folder, os.R_OK | os.X_OK):  # noqa: PTH112
        raise ResumeError(
            f"{folder} belongs to {_owner(folder)}, and you may not read it. Choose another run_id."
        )
    if folder.is_symlink() and _is_vacant(folder):
        raise ResumeError(
            f"{folder} is a symbolic link to {os.path.realpath(folder)}, where no run is. Remove "
            "the link; to store runs elsewhere, give the folder above them as settings.runs_dir."
        )
    if _is_vacant(folder):
        if resume == "must":
            raise ResumeError(
                f"There is no run {run_id!r} to resume, and resume=must forbids a new one. "
                f"{describe_existing(run_id, runs_dir)} To create it, use resume=auto."
            )
    elif not is_run_folder(folder):
        raise ResumeError(
            f"{folder} exists but is not a run (it has no hyper_params.yaml). Choose another "
            "run_id, or move the folder."
        )
    elif resume == "never":
        raise ResumeError(
            f"Run {run_id!r} already exists in {runs_dir}, and resume=never forbids resuming it. "
            "Choose another run_id, or use resume=auto."
        )


@contextmanager
def _opening_lock(runs_dir: Path) -> Iterator[None]:
    """Let only one process at a time open a run, so that only one of them creates it."""
    try:
        runs_dir.mkdir(parents=True, exist_ok=True)
        lock = FileLock(runs_dir / LOCK_NAME)
        lock.acquire(wait=True)
    except OSError as error:
        raise ParameterError(
            f"settings.runs_dir={str(runs_dir)!r} is not writable: {error.strerror or error}. "
            "Choose another folder."
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
    """Create the folder of a run under a hidden name, and rename it when it is complete."""
    temporary = folder.with_name(f".{folder.name}{_CREATING}")
    with storage_errors(temporary):
        if temporary.exists():  # left by a killed process
            shutil.rmtree(temporary)
        temporary.mkdir()
        try:
            store_parameters(temporary, parameters)
            record_start(temporary, settings, new_identity())
            _create_database(temporary)
            temporary.rename(folder)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        flush_to_disk(folder.parent)


def _create_database(folder: Path) -> None:
    """Create the database of a new run, so that a missing one is always an error."""
    database = RunDatabase(folder / DATABASE_FILE)
    try:
        database.set_origin(Origin.of_folder(folder))
    finally:
        database.close()


def record_start(
    folder: Path, settings: ExperimentSettings, run_identity: str | None = None
) -> None:
    """Record the environment and the settings of a start, and the identity of a new run."""
    append_start(folder / ENVIRONMENT_FILE, describe_start(settings.to_dict()), run_identity)
    write_atomically(folder / "settings.yaml", dump(scrub_tree(settings.to_dict())))


def _lock(folder: Path) -> FileLock:
    lock = FileLock(folder / LOCK_NAME)
    try:
        is_free = lock.acquire(wait=False)
    except OSError as error:
        raise ResumeError(
            f"{lock.path} cannot be locked: {error.strerror or error}. It should be a regular file "
            "on a disk that supports locks: move away what is there."
        ) from error
    if not is_free:
        raise ResumeError(
            f"Run {folder.name!r} is in use by {lock.holder()}. Wait until it ends, or choose "
            "another run_id."
        )
    return lock
