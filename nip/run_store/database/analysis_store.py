"""``AnalysisStore``: the results of analysers, in ``analyses.db`` beside ``run.db``."""

import json
import sqlite3
from contextlib import AbstractContextManager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any, Literal, Self

from nip.errors import ResumeError
from nip.run_store.database.connection import close_for_readers, connect
from nip.run_store.database.journal import RunJournal
from nip.run_store.database.transactions import Transactions
from nip.utils.exact_json import dump_exactly
from nip.utils.file_lock import FileLock
from nip.utils.files import storage_errors
from nip.utils.links import refuse_links_outside

FILE_NAME = "analyses.db"
LAYOUT_VERSION = 2
"""Layout of a file. In layout 1, iterations were counted from 0."""

_TABLES = (
    """
CREATE TABLE results (
    analyser TEXT NOT NULL,
    model TEXT NOT NULL,
    prompt_sha256 TEXT NOT NULL,
    phase TEXT NOT NULL,
    iteration INTEGER NOT NULL,
    position INTEGER NOT NULL,
    agent TEXT NOT NULL,
    datapoint_id TEXT NOT NULL,
    finding TEXT NOT NULL,
    answer TEXT NOT NULL,
    num_retries INTEGER NOT NULL,
    PRIMARY KEY (analyser, model, prompt_sha256, phase, iteration, position, agent)
)
""",
    "CREATE TABLE journal (key TEXT NOT NULL PRIMARY KEY, entry TEXT NOT NULL)",
    "CREATE TABLE state (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)",
)

# In two steps, because a number must be unique at any time.
_COUNT_FROM_1 = (
    "UPDATE results SET iteration = -1 - iteration",
    "UPDATE results SET iteration = -iteration",
)

Finding = Literal["yes", "no", "unknown", "not_applicable"]
Place = tuple[str, int, int, str]
"""Phase, iteration, position and agent."""


@dataclass(frozen=True, slots=True)
class AnalysisRow:
    """Result of one analyser for one agent in one rollout."""

    analyser: str
    """Name of the analyser."""

    model: str
    """Provider and name of the model; empty if none was asked."""

    prompt_sha256: str
    """Hash of the prompt; empty if no model was asked."""

    phase: str
    """``train`` or ``test``."""

    iteration: int
    """The iteration, counted from 1, as in ``run.db``."""

    position: int
    """Position of the rollout in its stage."""

    agent: str
    """The agent that the question is about."""

    datapoint_id: str
    """Id of the datapoint of the rollout."""

    finding: Finding
    """``unknown`` without a readable answer; ``not_applicable`` if the question does not apply."""

    answer: str = ""
    """Last output of the model, or the error."""

    num_retries: int = 0
    """Number of further attempts after unreadable answers."""

    @property
    def place(self) -> Place:
        """Phase, iteration, position and agent."""
        return (self.phase, self.iteration, self.position, self.agent)


class AnalysisStore:
    """An open ``analyses.db``, used by this process only; the run may be open in another process.

    Raises ``ResumeError`` if another process has the file open, or it cannot be read, or a link in
    the folder leads out of it, and ``StorageError`` if it cannot be written. With ``read_only`` it
    may be open elsewhere, and its folder need not be writable.
    """

    def __init__(self, folder: Path, read_only: bool = False) -> None:
        if not read_only:
            refuse_links_outside(folder)
        self.path = folder / FILE_NAME
        self._lock = FileLock(folder / ".analyses.lock")
        self._read_only = read_only
        if not read_only:
            self._take_lock(folder.name)
        prepare = _check_tables if read_only else _create_tables
        remedy = "move it to start again"
        try:
            self._connection = connect(self.path, LAYOUT_VERSION, prepare, remedy, read_only)
        except BaseException:
            self._lock.release()
            raise
        self._transactions = Transactions(self._connection)
        self.journal = RunJournal(self._transactions)

    def _take_lock(self, run_id: str) -> None:
        with storage_errors(self.path):
            is_taken = not self._lock.acquire(wait=False)
        if is_taken:
            raise ResumeError(
                f"The analyses of run {run_id!r} are in use by {self._lock.holder()}. Wait until "
                "it ends."
            )

    def transaction(self) -> AbstractContextManager[Any]:
        """Store all writes of a ``with`` block atomically, or none after an error or a kill."""
        return self._transactions()

    def add(self, row: AnalysisRow) -> None:
        """Store a result, replacing an existing one."""
        placeholders = ", ".join("?" for _ in fields(AnalysisRow))
        with self._transactions() as connection:
            connection.execute(
                f"INSERT OR REPLACE INTO results VALUES ({placeholders})", astuple(row)
            )

    def delete_unknown(self, analyser: str, model: str, prompt_sha256: str) -> None:
        """Delete the results of an analyser without a readable answer."""
        with self._transactions() as connection:
            connection.execute(
                "DELETE FROM results WHERE finding = 'unknown' "
                "AND analyser = ? AND model = ? AND prompt_sha256 = ?",
                (analyser, model, prompt_sha256),
            )

    def places(self, analyser: str, model: str, prompt_sha256: str) -> set[Place]:
        """Return the places with results of an analyser for a model and a prompt."""
        query = (
            "SELECT phase, iteration, position, agent FROM results "
            "WHERE analyser = ? AND model = ? AND prompt_sha256 = ?"
        )
        with self._transactions.reading() as connection:
            return set(connection.execute(query, (analyser, model, prompt_sha256)))

    def rows(self) -> list[AnalysisRow]:
        """Return all results, ordered by key."""
        key = "analyser, model, prompt_sha256, phase, iteration, position, agent"
        with self._transactions.reading() as connection:
            found = connection.execute(f"SELECT * FROM results ORDER BY {key}").fetchall()
        return [AnalysisRow(*row) for row in found]

    def get_state(self, key: str, default: Any = None) -> Any:
        """Return a value stored with ``set_state``, or ``default``."""
        query = "SELECT value FROM state WHERE key = ?"
        with self._transactions.reading() as connection:
            row = connection.execute(query, (key,)).fetchone()
        return default if row is None else json.loads(row[0])

    def set_state(self, key: str, value: Any) -> None:
        """Store plain data."""
        with self._transactions() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO state VALUES (?, ?)", (key, dump_exactly(value))
            )

    def close(self) -> None:
        """Close the file and release the lock."""
        if self._read_only:
            self._connection.close()
        else:
            close_for_readers(self._connection)
        self._lock.release()

    def __enter__(self) -> Self:
        """Return the store."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close the store."""
        self.close()


def _check_tables(_connection: sqlite3.Connection, version: int) -> None:
    if version != LAYOUT_VERSION:
        raise ResumeError(
            f"{FILE_NAME} was written by an earlier version of nip. Run the analysis where the "
            "folder can be written, which converts it."
        )


def _create_tables(connection: sqlite3.Connection, version: int) -> None:
    if version == LAYOUT_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    for statement in _TABLES if version == 0 else _COUNT_FROM_1:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {LAYOUT_VERSION}")
    connection.execute("COMMIT")
