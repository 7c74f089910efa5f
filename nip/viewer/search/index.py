"""``SearchIndex``: an SQLite FTS5 index of all messages, kept outside of the folders of runs."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from nip.errors import NipError, StorageError
from nip.run_store.database import RunDatabase
from nip.run_store.run_id import existing_run_ids
from nip.utils.unicode_text import valid_unicode
from nip.viewer.dialogues.records import DamagedRecord, parse_record
from nip.viewer.runs.file_cache import database_files, signature

LAYOUT = 1
"""Layout of the file; one of another layout is made anew."""

TURN_BITS = 16
"""The row of a message is the number of its dialogue, times ``2 ** TURN_BITS``, plus its index."""

_BATCH = 500
_BUSY_MS = 5_000
_TABLES = """
CREATE TABLE runs (run_id TEXT PRIMARY KEY, signature TEXT NOT NULL);
CREATE TABLE dialogues (
    number INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL,
    phase TEXT NOT NULL,
    iteration INTEGER NOT NULL,
    position INTEGER NOT NULL,
    digest BLOB NOT NULL,
    UNIQUE (run_id, phase, iteration, position)
);
CREATE TABLE agents (name TEXT PRIMARY KEY);
CREATE VIRTUAL TABLE messages USING fts5(text, agent UNINDEXED, tokenize = "unicode61");
"""


@dataclass(frozen=True)
class Progress:
    """How much of the runs is in the index."""

    is_complete: bool
    """Whether every run is in the index as it was when the update began."""

    num_done: int
    """Number of runs that were looked at."""

    num_runs: int
    """Number of all runs."""


class SearchIndex:
    """An index of all messages in a folder of runs.

    It is a cache, which can be deleted at any time. A run whose files have not changed is skipped,
    and of the others only dialogues with another content are indexed.

    Parameters
    ----------
    path : Path
        File of the index; its folder is created when it is first updated.
    runs_dir : Path
        Folder of the runs.
    """

    def __init__(self, path: Path, runs_dir: Path) -> None:
        self.path = path
        self._runs_dir = runs_dir
        self._lock = threading.Lock()
        self._worker: threading.Thread | None = None
        self._progress = Progress(False, 0, 0)
        self._error: Exception | None = None

    def refresh(self, max_seconds: float) -> Progress:
        """Update the index in the background, and wait for it for some time at most.

        Raises
        ------
        NipError
            If the index cannot be written.
        """
        with self._lock:
            if self._worker is None or not self._worker.is_alive():
                self._progress = Progress(False, 0, 0)
                self._error = None
                self._worker = threading.Thread(target=self._work, daemon=True)
                self._worker.start()
            worker = self._worker
        worker.join(max_seconds)
        if self._error is not None:
            raise StorageError(
                f"The search index {self.path} cannot be written: {self._error}. Choose another "
                "file with --index."
            )
        return self._progress

    def _work(self) -> None:
        try:
            self.update()
        except (OSError, sqlite3.Error, NipError) as error:
            self._error = error

    def update(self) -> None:
        """Bring the index up to date."""
        run_ids = existing_run_ids(self._runs_dir)
        with self._open_for_writing() as connection:
            for number, run_id in enumerate(run_ids):
                self._progress = Progress(False, number, len(run_ids))
                self._update_run(connection, run_id)
            known = [row[0] for row in connection.execute("SELECT run_id FROM runs")]
            for run_id in set(known) - set(run_ids):
                _forget_run(connection, run_id)
            connection.commit()
        self._progress = Progress(True, len(run_ids), len(run_ids))

    @contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        """Open the index for reading; an empty one if it does not exist yet."""
        if self.path.exists():
            uri = f"{self.path.resolve().as_uri()}?mode=ro"
            connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_MS / 1000)
        else:
            connection = sqlite3.connect(":memory:")
            connection.executescript(_TABLES)
        with closing(connection):
            yield connection

    @contextmanager
    def _open_for_writing(self) -> Iterator[sqlite3.Connection]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            connection = self._connect()
        except sqlite3.DatabaseError:
            # It is only a cache: a damaged one is made anew.
            for suffix in ("", "-wal", "-shm"):
                with suppress(FileNotFoundError):
                    self.path.with_name(self.path.name + suffix).unlink()
            connection = self._connect()
        with closing(connection):
            yield connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_BUSY_MS / 1000)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            (layout,) = connection.execute("PRAGMA user_version").fetchone()
            if layout not in (0, LAYOUT):
                raise sqlite3.DatabaseError(f"layout {layout}")
            if layout == 0:
                connection.executescript(f"{_TABLES} PRAGMA user_version = {LAYOUT};")
        except BaseException:
            connection.close()
            raise
        return connection

    def _update_run(self, connection: sqlite3.Connection, run_id: str) -> None:
        folder = self._runs_dir / run_id
        now = json.dumps(signature(database_files(folder)))
        query = "SELECT signature FROM runs WHERE run_id = ?"
        stored = connection.execute(query, (run_id,)).fetchone()
        if stored is not None and stored[0] == now:
            return
        # A run that cannot be read has no messages to be found; its page says what is wrong.
        with suppress(NipError, OSError):
            database = RunDatabase(folder / "run.db", read_only=True)
            with closing(database):
                _update_dialogues(connection, run_id, database)
        connection.execute("INSERT OR REPLACE INTO runs VALUES (?, ?)", (run_id, now))
        connection.commit()


def _update_dialogues(connection: sqlite3.Connection, run_id: str, database: RunDatabase) -> None:
    """Index the dialogues of a run that are new or have changed, and drop those that are gone."""
    query = "SELECT phase, iteration, position, number, digest FROM dialogues WHERE run_id = ?"
    known = {tuple(row[:3]): (row[3], row[4]) for row in connection.execute(query, (run_id,))}
    num_changed = 0
    for place, record in _records(database):
        digest = blake2b(record, digest_size=16).digest()
        number, old = known.pop(place, (None, None))
        if digest == old:
            continue
        if number is not None:
            _forget_dialogue(connection, number)
        _add_dialogue(connection, (run_id, *place, digest), record)
        num_changed += 1
        if num_changed % _BATCH == 0:
            connection.commit()
    for number, _ in known.values():
        _forget_dialogue(connection, number)


def _records(database: RunDatabase) -> Iterator[tuple[tuple[Any, ...], bytes]]:
    """Yield the place and the stored form of every dialogue, one stage at a time."""
    stages = "SELECT DISTINCT phase, iteration FROM rollouts"
    query = "SELECT position, CAST(record AS BLOB) FROM rollouts WHERE phase = ? AND iteration = ?"
    with database.transaction.reading() as source:
        for phase, iteration in source.execute(stages).fetchall():
            for position, record in source.execute(query, (phase, iteration)):
                yield (phase, iteration, position), record or b""


def _add_dialogue(connection: sqlite3.Connection, row: tuple[Any, ...], record: bytes) -> None:
    insert = (
        "INSERT INTO dialogues (run_id, phase, iteration, position, digest) VALUES (?, ?, ?, ?, ?)"
    )
    number = connection.execute(insert, row).lastrowid
    assert number is not None
    messages = _messages(record)[: 1 << TURN_BITS]
    rows = [
        ((number << TURN_BITS) + turn, indexable(text), indexable(agent))
        for turn, (agent, text) in enumerate(messages)
    ]
    names = [(indexable(agent),) for agent, _ in messages if agent]
    connection.executemany("INSERT OR IGNORE INTO agents VALUES (?)", names)
    connection.executemany("INSERT INTO messages (rowid, text, agent) VALUES (?, ?, ?)", rows)


def _messages(record: bytes) -> list[tuple[str, str]]:
    """Return agent and text of each message; the whole text of a damaged record."""
    content = parse_record(record)
    if isinstance(content, DamagedRecord):
        return [("", content.raw)]
    return [
        (each.agent, "\n".join(filter(None, (each.text, each.reasoning))))
        for each in content.messages
    ]


def indexable(text: str) -> str:
    """Return a text as SQLite can store it, without the marks around matches."""
    return valid_unicode(text).translate({0: " ", 2: " ", 3: " "})


def _forget_dialogue(connection: sqlite3.Connection, number: int) -> None:
    first = number << TURN_BITS
    last = first + (1 << TURN_BITS)
    connection.execute("DELETE FROM messages WHERE rowid >= ? AND rowid < ?", (first, last))
    connection.execute("DELETE FROM dialogues WHERE number = ?", (number,))


def _forget_run(connection: sqlite3.Connection, run_id: str) -> None:
    query = "SELECT number FROM dialogues WHERE run_id = ?"
    for (number,) in connection.execute(query, (run_id,)).fetchall():
        _forget_dialogue(connection, number)
    connection.execute("DELETE FROM runs WHERE run_id = ?", (run_id,))
