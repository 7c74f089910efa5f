"""Stored runs that are compared: found by id, folder or pattern, and read without being changed."""

import fnmatch
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nip.errors import NipError, NipWarning, ParameterError, warn_user
from nip.parameters import HyperParameters
from nip.run_store import RunHistory, open_database, read_history
from nip.run_store.consistency import was_never_started
from nip.run_store.reading import read_parameters
from nip.run_store.resume_check import without_observers
from nip.run_store.run_id import describe_existing, existing_run_ids

Runs = str | Path | Sequence[str | Path]

_VERSION = "_package_version"
_UNFINISHED = "running"


@dataclass(frozen=True)
class RunRecord:
    """What a comparison needs of a stored run."""

    run_id: str
    """Name of the run and its folder."""

    folder: Path
    """Folder of the run."""

    status: str
    """``completed``, ``failed``, or ``running``, which a killed run is as well."""

    parameters: Mapping[str, Any]
    """Stored parameters, as plain data, without callbacks that only observe."""

    history: RunHistory
    """All metrics."""

    digests: Mapping[str, str]
    """Digests of the datasets and prompts by name, as far as they were stored."""

    @property
    def seed(self) -> int | None:
        """Random seed of the run; None if its parameters have none."""
        seed = self.parameters.get("seed")
        return seed if isinstance(seed, int) else None

    @property
    def is_finished(self) -> bool:
        """Whether the run was completed."""
        return self.status == "completed"


def find_folders(runs: Runs, runs_dir: Path | str) -> list[tuple[Path, bool]]:
    """Return the folders of runs, and whether each was given by its name.

    Parameters
    ----------
    runs : str, Path, or sequence of them
        Run ids, folders, and patterns of run ids such as ``nip-*``, in which ``*``, ``?`` and
        ``[...]`` have their usual meaning.
    runs_dir : Path or str
        Folder of the runs.

    Raises
    ------
    ParameterError
        If a pattern matches no run.
    """
    given = [runs] if isinstance(runs, str | Path) else list(runs)
    found: dict[Path, bool] = {}
    for each in given:
        if isinstance(each, str) and any(sign in each for sign in "*?[") and "/" not in each:
            for name in _matching(each, runs_dir):
                found.setdefault(Path(runs_dir) / name, False)
        else:
            is_id = isinstance(each, str) and Path(each).name == each
            found[Path(runs_dir) / each if is_id else Path(each)] = True
    return list(found.items())


def _matching(pattern: str, runs_dir: Path | str) -> list[str]:
    known = existing_run_ids(runs_dir)
    names = fnmatch.filter(known, pattern)
    if not names:
        listing = describe_existing(re.sub(r"[*?[\]]", "", pattern), runs_dir)
        raise ParameterError(f"No run in {runs_dir} matches {pattern!r}. {listing}")
    return names


def read_runs(
    runs: Runs, runs_dir: Path | str, note: Callable[[str], object] = warn_user
) -> list[RunRecord]:
    """Read runs, which may still be running, in the order in which they are given.

    A run that cannot be read is an error if it was given by its id or folder. If a pattern matched
    it, it is left out with a note.

    Parameters
    ----------
    runs : str, Path, or sequence of them
        Run ids, folders or patterns; see ``find_folders``.
    runs_dir : Path or str
        Folder of the runs.
    note : callable
        Called with the message about each run that is left out; by default a ``NipWarning``.

    Raises
    ------
    ParameterError
        If a run does not exist, is damaged, or is given twice.
    """
    records: list[RunRecord] = []
    for folder, is_named in find_folders(runs, runs_dir):
        try:
            records.append(read_run(folder))
        except NipError as error:
            if is_named:
                raise
            note(f"Run {folder.name!r} is left out, because it cannot be read: {error}")
    _check_no_copies(records)
    return _with_complete_parameters(records)


def read_run(folder: Path) -> RunRecord:
    """Read one run.

    Raises
    ------
    ParameterError
        If the folder is not a run, or its files do not belong together.
    """
    parameters = read_parameters(folder)
    history = read_history(folder)
    status, digests = _UNFINISHED, {}
    if not was_never_started(folder):
        with open_database(folder) as database:
            status, digests = database.get_state("status", _UNFINISHED), database.digests()
    return RunRecord(
        folder.resolve().name, folder, status, without_observers(parameters), history, digests
    )


def _check_no_copies(records: Sequence[RunRecord]) -> None:
    by_folder: dict[Path, RunRecord] = {}
    for record in records:
        first = by_folder.setdefault(record.folder.resolve(), record)
        if first is not record:
            raise ParameterError(
                f"The run in {record.folder} is given twice. Every run counts once: leave one out."
            )


def _with_complete_parameters(records: list[RunRecord]) -> list[RunRecord]:
    """Translate and complete the parameters of runs of different versions of ``nip``.

    Within one version the stored trees are complete. Trees that cannot be read, such as those of
    missing plugins, are compared as they are.
    """
    versions = {str(record.parameters.get(_VERSION)) for record in records}
    if len(versions) <= 1:
        return records
    complete = []
    for record in records:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NipWarning)
                tree = HyperParameters.from_dict(record.parameters).to_dict()
        except NipError:
            tree = dict(record.parameters)
        fields = {**record.__dict__, "parameters": without_observers(tree)}
        complete.append(RunRecord(**fields))
    return complete
