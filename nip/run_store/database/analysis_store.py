"""``analyses.db``: what analysers found out about the rollouts of a run, beside its ``run.db``."""

import json
import sqlite3
from contextlib import AbstractContextManager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any, Literal, Self

from nip.errors import ResumeError
from nip.run_store.database.journal import RunJournal
from nip.run_store.database.transactions import Transactions
from nip.utils.exact_json import dump_exactly
from nip.utils.file_lock import FileLock

FILE_NAME = "analyses.db"
LAYOUT_VERSION = 1

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

Finding = Literal["yes", "no", "unknown", "not_applicable"]
Place = tuple[str, int, int, str]
"""Phase, iteration, position and agent."""


@dataclass(frozen=True, slots=True)
class AnalysisRow:
    """What one analyser found out about one agent in one rollout."""

    analyser: str
    """Name of the analyser."""

    model: str
    """Provider and name of the model that was asked; empty where none was needed."""

    prompt_sha256: str
    """Fingerprint of what the model was asked; empty where none was needed."""

    phase: str
    """``train`` or ``test``."""

    iteration: int
    """The iteration, counted from 0, as in ``run.db``."""

    position: int
    """Place of the rollout in its stage."""

    agent: str
    """The agent that the question was about."""

    datapoint_id: str
    """What the rollout was about."""

    finding: Finding
    """``unknown`` if no answer could be read; ``not_applicable`` if the question does not apply."""

    answer: str = ""
    """What the model wrote last, or why it did not."""

    num_retries: int = 0
    """How often it was asked again because its answer could not be read."""

    @property
    def place(self) -> Place:
        """Phase, iteration, position and agent."""
        return (self.phase, self.iteration, self.position, self.agent)


class AnalysisStore:
    """An open ``analyses.db``, of which this process is the only user.

    Parameters
    ----------
    folder : Path
        Folder of the run. The run itself may be open elsewhere.

    Raises
    ------
    ResumeError
        If another process has it open, or the file cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME
        self._lock = FileLock(folder / ".analyses.lock")
        if not self._lock.acquire(wait=False):
            raise ResumeError(
                f"The analyses of run {folder.name!r} are in use by {self._lock.holder()}. Wait "
                "until it has ended."
            )
        try:
            self._connection = _open(self.path)
        except BaseException:
            self._lock.release()
            raise
        self._transactions = Transactions(self._connection)
        self.journal = RunJournal(self._transactions)

    def transaction(self) -> AbstractContextManager[Any]:
        """Store all that happens within, or, after an error or a kill, nothing of it."""
        return self._transactions()

    def add(self, row: AnalysisRow) -> None:
        """Store a result; one that is there is replaced."""
        marks = ", ".join("?" for _ in fields(AnalysisRow))
        with self._transactions() as connection:
            connection.execute(f"INSERT OR REPLACE INTO results VALUES ({marks})", astuple(row))

    def places(self, analyser: str, model: str, prompt_sha256: str) -> set[Place]:
        """Return where an analyser has its results, given whom it asks what."""
        query = (
            "SELECT phase, iteration, position, agent FROM results "
            "WHERE analyser = ? AND model = ? AND prompt_sha256 = ?"
        )
        with self._transactions.reading() as connection:
            return set(connection.execute(query, (analyser, model, prompt_sha256)))

    def rows(self) -> list[AnalysisRow]:
        """Return all results in the order of their keys."""
        key = "analyser, model, prompt_sha256, phase, iteration, position, agent"
        with self._transactions.reading() as connection:
            found = connection.execute(f"SELECT * FROM results ORDER BY {key}").fetchall()
        return [AnalysisRow(*row) for row in found]

    def get_state(self, key: str, default: Any = None) -> Any:
        """Read what ``set_state`` stored; ``default`` if there is nothing."""
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
        """Close the file and let other processes open it."""
        self._connection.close()
        self._lock.release()

    def __enter__(self) -> Self:
        """Give the store itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close the store."""
        self.close()


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            connection.execute("BEGIN IMMEDIATE")
            for statement in _TABLES:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {LAYOUT_VERSION}")
            connection.execute("COMMIT")
        elif version != LAYOUT_VERSION:
            raise ResumeError(
                f"{path} has layout {version}, this version of nip reads layout {LAYOUT_VERSION}. "
                "Use the version of nip that wrote it, or move the file away to begin anew."
            )
    except sqlite3.DatabaseError as error:
        connection.close()
        raise ResumeError(
            f"{path} cannot be read: {error}. Put a copy of it there, or move it away to begin "
            "anew."
        ) from error
    except BaseException:
        connection.close()
        raise
    return connection
