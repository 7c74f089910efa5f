"""``run.db``: metrics, state, messages, rollouts and jobs of one run, in SQLite."""

import math
import sqlite3
from collections.abc import Mapping
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from nip.errors import ResumeError
from nip.run_store.database.history import RunHistory
from nip.run_store.database.job_table import JobTable
from nip.run_store.database.journal import RunJournal
from nip.run_store.database.rollout_table import RolloutTable
from nip.run_store.database.schema import SCHEMA_VERSION, bring_up_to_date, stand_in_for_missing
from nip.run_store.database.transactions import Transactions

STATE_PREFIX = "state of the work: "
"""Keeps the state that others store apart from that of the store itself, such as the status."""

DIGEST_PREFIX = "digest of the "
"""Keeps the digests of what a run learns from, by name."""


class RunDatabase:
    """An open ``run.db``.

    Every call is one transaction, or joins the one that ``transaction`` has begun, so a reader, or
    a process started after a crash, sees all of it or nothing. In WAL mode with
    ``synchronous=NORMAL`` a transaction outlives the killing of the process; ``flush`` makes it
    outlive a power cut as well.

    SQLite has no NaN, which is stored as NULL and comes back as NaN, and takes -0.0 for 0.0. All
    other values come back bit for bit.

    Parameters
    ----------
    path : Path
        The database file. It is made when it is missing, unless ``read_only``.
    read_only : bool
        For looking at a run that another process may be writing. In a file of an older layout the
        tables that it lacks are found empty; a writer adds them.

    Attributes
    ----------
    transaction
        ``with database.transaction():`` makes everything within it one transaction.
    journal, rollouts, jobs
        The finished messages, the finished rollouts and the fine-tuning jobs.

    Raises
    ------
    ResumeError
        If the file is damaged, or of a later version of this package.
    """

    def __init__(self, path: Path, read_only: bool = False) -> None:
        mode = "ro" if read_only else "rwc"
        self._connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
        )
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
        self.transaction = Transactions(self._connection)
        self.journal = RunJournal(self.transaction)
        self.rollouts = RolloutTable(self.transaction, self.journal)
        self.jobs = JobTable(self.transaction, self.flush)

    def _prepare_schema(self, path: Path, read_only: bool) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        is_unknown = version > SCHEMA_VERSION or (version == 0 and read_only)
        if is_unknown:
            raise ResumeError(
                f"{path} has layout {version}, this version of nip reads layout {SCHEMA_VERSION}. "
                "Use the version of nip that wrote it, or start again under another run_id."
            )
        if read_only:
            stand_in_for_missing(self._connection, version)
            self._connection.execute("PRAGMA query_only = ON")
        elif version < SCHEMA_VERSION:
            bring_up_to_date(self._connection, version)

    def log_metrics(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """Store the metrics of one iteration; a value already there is replaced."""
        rows = [(iteration, name, _to_sql(value)) for name, value in metrics.items()]
        with self.transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO metrics VALUES (?, ?, ?)", rows)

    def truncate_metrics(self, iteration: int) -> None:
        """Delete the metrics of all later iterations."""
        with self.transaction() as connection:
            connection.execute("DELETE FROM metrics WHERE iteration > ?", (iteration,))

    def load_history(self) -> RunHistory:
        """Read all metrics back."""
        history = RunHistory()
        query = "SELECT iteration, name, value FROM metrics ORDER BY iteration, name"
        with self.transaction.reading() as connection:
            for iteration, rows in groupby(connection.execute(query), key=itemgetter(0)):
                metrics = {name: math.nan if value is None else value for _, name, value in rows}
                history.update(iteration, metrics)
        return history

    def set_state(self, key: str, value: str) -> None:
        """Store one entry of the state of the run."""
        with self.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO run_state VALUES (?, ?)", (key, value))

    def get_state(self, key: str, default: str) -> str:
        """Read one entry of the state of the run."""
        query = "SELECT value FROM run_state WHERE key = ?"
        with self.transaction.reading() as connection:
            row = connection.execute(query, (key,)).fetchone()
        return default if row is None else str(row[0])

    def flush(self) -> None:
        """Force all that was stored onto the disk."""
        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def close(self) -> None:
        """Close the file; SQLite then folds the ``-wal`` file into it."""
        self._connection.close()


def _to_sql(value: float) -> float | None:
    number = float(value)
    return None if math.isnan(number) else number
