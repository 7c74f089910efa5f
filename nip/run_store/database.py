"""`run.db`: the metrics and the state of one run, in SQLite."""

import math
import sqlite3
from collections.abc import Mapping
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from nip.errors import ResumeError
from nip.run_store.history import RunHistory

SCHEMA_VERSION = 1

# A WITHOUT ROWID table keeps the rows in the order of the key: one write per value, not two.
_SCHEMA = f"""
BEGIN;
CREATE TABLE metrics (
    iteration INTEGER NOT NULL,
    name TEXT NOT NULL,
    value REAL,
    PRIMARY KEY (iteration, name)
) WITHOUT ROWID;
CREATE TABLE run_state (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""


class RunDatabase:
    """An open `run.db`.

    Every call is one transaction, so a reader, or a process started after a crash, sees all of it
    or nothing. In WAL mode with `synchronous=NORMAL` a transaction outlives the killing of the
    process; `flush` makes it outlive a power cut as well.

    SQLite has no NaN, which is stored as NULL and comes back as NaN, and takes -0.0 for 0.0. All
    other values come back bit for bit.

    Parameters
    ----------
    path
        The database file. It is made when it is missing, unless `read_only`.
    read_only
        For looking at a run that another process may be writing.

    Raises
    ------
    ResumeError
        If the file is damaged, or of a later version of this package.
    """

    def __init__(self, path: Path, read_only: bool = False) -> None:
        mode = "ro" if read_only else "rwc"
        self._connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", uri=True)
        try:
            if not read_only:
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA synchronous = NORMAL")
            self._prepare_schema(path, read_only)
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise ResumeError(
                f"{path} cannot be read: {error}. Put a copy of it there, or start again under "
                "another run_id."
            ) from error
        except BaseException:
            self._connection.close()
            raise

    def _prepare_schema(self, path: Path, read_only: bool) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version == 0 and not read_only:
            self._connection.executescript(_SCHEMA)
        elif version != SCHEMA_VERSION:
            raise ResumeError(
                f"{path} has layout {version}, this version of nip reads layout {SCHEMA_VERSION}. "
                "Use the version of nip that wrote it, or start again under another run_id."
            )

    def log_metrics(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """Store the metrics of one iteration; a value already there is replaced."""
        rows = [(iteration, name, _to_sql(value)) for name, value in metrics.items()]
        with self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO metrics VALUES (?, ?, ?)", rows)

    def truncate_metrics(self, iteration: int) -> None:
        """Delete the metrics of all later iterations."""
        with self._connection:
            self._connection.execute("DELETE FROM metrics WHERE iteration > ?", (iteration,))

    def load_history(self) -> RunHistory:
        """Read all metrics back."""
        history = RunHistory()
        query = "SELECT iteration, name, value FROM metrics ORDER BY iteration, name"
        for iteration, rows in groupby(self._connection.execute(query), key=itemgetter(0)):
            metrics = {name: math.nan if value is None else value for _, name, value in rows}
            history.update(iteration, metrics)
        return history

    def set_state(self, key: str, value: str) -> None:
        """Store one entry of the state of the run."""
        with self._connection:
            self._connection.execute("INSERT OR REPLACE INTO run_state VALUES (?, ?)", (key, value))

    def get_state(self, key: str, default: str) -> str:
        """Read one entry of the state of the run."""
        query = "SELECT value FROM run_state WHERE key = ?"
        row = self._connection.execute(query, (key,)).fetchone()
        return default if row is None else str(row[0])

    def flush(self) -> None:
        """Force all that was stored onto the disk."""
        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def close(self) -> None:
        """Close the file; SQLite then folds the `-wal` file into it."""
        self._connection.close()


def _to_sql(value: float) -> float | None:
    number = float(value)
    return None if math.isnan(number) else number
