"""Folder of a sweep, beside its runs: table of the cells, events, logs, and the budget."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nip.errors import ResumeError, StorageError
from nip.language_models.costs.shared_budget import SharedBudget, set_shared_budget
from nip.sweeps.cells import Cell
from nip.utils.file_lock import FileLock
from nip.utils.files import make_folder, storage_errors, write_atomically

SUFFIX = ".sweep"
"""End of the name of the folder."""


class SweepFolder:
    """Files of a sweep.

    Nothing in it is needed to continue, except the budget: how far the cells are is known from
    their run folders.

    Parameters
    ----------
    path : Path
        The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.budget = path / "budget.json"
        self._lock = FileLock(path / ".lock")

    def open(self) -> None:
        """Create the folder, and lock it.

        Raises
        ------
        ResumeError
            If another process has it open.
        """
        make_folder(self.path)
        with storage_errors(self.path):
            (self.path / "logs").mkdir(exist_ok=True)
            is_free = self._lock.acquire(wait=False)
        if not is_free:
            raise ResumeError(
                f"The sweep in {self.path} is in use by {self._lock.holder()}. Wait until it ends, "
                "or give this one another name."
            )

    def close(self) -> None:
        """Release the lock."""
        self._lock.release()

    def log_of(self, run_id: str) -> Path:
        """Return the file with the output of a run."""
        return self.path / "logs" / f"{run_id}.log"

    def write_cells(self, cells: Iterable[Cell]) -> None:
        """Write ``cells.json``: the values of each run."""
        table = {cell.run_id: cell.values for cell in cells}
        text = json.dumps(table, indent=2, ensure_ascii=False)
        write_atomically(self.path / "cells.json", f"{text}\n")

    def record(self, event: str, run_id: str, **details: Any) -> None:
        """Append a line to ``events.jsonl``."""
        line = json.dumps({"event": event, "run_id": run_id, **details}, ensure_ascii=False)
        with storage_errors(self.path), self._events.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def events(self) -> list[dict[str, Any]]:
        """Return all recorded events; a line that a kill has cut off is left out."""
        if not self._events.exists():
            return []
        found = []
        for line in self._events.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict):
                found.append(event)
        return found

    def set_budget(self, max_cost: float) -> None:
        """Create the budget, or change its limit."""
        set_shared_budget(self.budget, max_cost)

    def claimed(self) -> float | None:
        """Return the dollars that all runs have spent or reserved; None without a budget."""
        if not self.budget.exists():
            return None
        try:
            return SharedBudget.read(self.budget).claimed
        except StorageError:
            return None

    @property
    def _events(self) -> Path:
        return self.path / "events.jsonl"
