"""``RunDatabase``: the SQLite file ``run.db`` of a run."""

import math
import sqlite3
from collections.abc import Mapping
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from nip.run_store.database.connection import close_for_readers, connect
from nip.run_store.database.history import RunHistory
from nip.run_store.database.job_table import JobTable
from nip.run_store.database.journal import RunJournal
from nip.run_store.database.origin import IDENTITY_KEY, PARAMETERS_KEY, Origin
from nip.run_store.database.rollout_table import RolloutTable
from nip.run_store.database.schema import SCHEMA_VERSION, create_temporary, migrate
from nip.run_store.database.transactions import Transactions
from nip.utils.files import flush_to_disk, storage_errors

STATE_PREFIX = "state of the work: "
"""Key prefix that separates the trainer's state from that of the run store, such as the status."""

DIGEST_PREFIX = "digest of the "
"""Key prefix of the digests of the datasets."""

LAST_CHECKPOINT_KEY = "last checkpoint"
"""Key of the iteration of the newest checkpoint that was, or was being, saved."""


class RunDatabase:
    """An open ``run.db``: metrics, state, messages, rollouts and fine-tuning jobs.

    Every method call is atomic, or part of a ``with database.transaction():`` block. In WAL mode
    with ``synchronous=NORMAL`` a transaction survives a kill of the process; after ``flush`` it
    also survives a power failure.

    SQLite has no NaN, which is stored as NULL and restored, and stores -0.0 as 0.0. All other
    values are restored bit for bit.

    A missing file is created, unless ``read_only``, which is for reading a run that another process
    may be writing: tables missing in a file of an older layout then appear empty. ``ResumeError``
    is raised if the file is damaged, or was written by a later version of nip.
    """

    def __init__(self, path: Path, read_only: bool = False) -> None:
        self._path, self._read_only = path, read_only
        prepare = _prepare_for_reading if read_only else migrate
        remedy = "start a new run with another run_id"
        self._connection = connect(path, SCHEMA_VERSION, prepare, remedy, read_only)
        self.transaction = Transactions(self._connection)
        self.journal = RunJournal(self.transaction)
        self.rollouts = RolloutTable(self.transaction, self.journal)
        self.jobs = JobTable(self.transaction, self.flush)

    def log_metrics(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """Store the metrics of one iteration, replacing existing values."""
        rows = [(iteration, name, _to_sql(value)) for name, value in metrics.items()]
        with self.transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO metrics VALUES (?, ?, ?)", rows)

    def truncate_metrics(self, iteration: int) -> None:
        """Delete the metrics of all later iterations."""
        self.transaction.execute("DELETE FROM metrics WHERE iteration > ?", (iteration,))

    def load_history(self) -> RunHistory:
        """Load all metrics."""
        history = RunHistory()
        query = "SELECT iteration, name, value FROM metrics ORDER BY iteration, name"
        with self.transaction.reading() as connection:
            for iteration, rows in groupby(connection.execute(query), key=itemgetter(0)):
                metrics = {name: math.nan if value is None else value for _, name, value in rows}
                history.update(iteration, metrics)
        return history

    def set_state(self, key: str, value: str) -> None:
        """Store one value of the state of the run."""
        self.transaction.execute("INSERT OR REPLACE INTO run_state VALUES (?, ?)", (key, value))

    def get_state(self, key: str, default: str) -> str:
        """Load one value of the state of the run."""
        query = "SELECT value FROM run_state WHERE key = ?"
        with self.transaction.reading() as connection:
            row = connection.execute(query, (key,)).fetchone()
        return default if row is None else str(row[0])

    def digests(self) -> dict[str, str]:
        """Load the digests of the data of the run by name; empty before its first start."""
        query = "SELECT key, value FROM run_state WHERE substr(key, 1, ?) = ?"
        with self.transaction.reading() as connection:
            rows = connection.execute(query, (len(DIGEST_PREFIX), DIGEST_PREFIX)).fetchall()
        return {key.removeprefix(DIGEST_PREFIX): value for key, value in rows}

    def origin(self) -> Origin:
        """Load the run and the parameters to which the file belongs."""
        keys = (IDENTITY_KEY, PARAMETERS_KEY)
        stored = {key: self.get_state(key, "") for key in keys}
        return Origin.from_mapping({key: value for key, value in stored.items() if value})

    def set_origin(self, origin: Origin) -> None:
        """Store the run and the parameters to which the file belongs."""
        with self.transaction():
            for key, value in origin.to_dict().items():
                self.set_state(key, value or "")

    def flush(self) -> None:
        """Flush all stored data to disk."""
        with self.transaction.reading() as connection:
            checkpoint = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        is_busy, num_frames, num_merged = checkpoint
        if is_busy or num_merged < num_frames:
            # Readers keep SQLite from merging, and from flushing, the last transactions.
            with storage_errors(self._path):
                flush_to_disk(f"{self._path}-wal")
                flush_to_disk(self._path.parent)

    def close(self) -> None:
        """Close the file; SQLite then merges the ``-wal`` file into it."""
        if self._read_only:
            self._connection.close()
        else:
            close_for_readers(self._connection)


def _to_sql(value: float) -> float | None:
    number = float(value)
    return None if math.isnan(number) else number


def _prepare_for_reading(connection: sqlite3.Connection, version: int) -> None:
    create_temporary(connection, version)
    connection.execute("PRAGMA query_only = ON")
