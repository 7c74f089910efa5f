"""SQLite tables of the mock API: files, fine-tuning jobs, models, and request counters."""

import hashlib
import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from nip.language_models.server.job_record import JobRecord

_COLUMNS = "number, name, purpose, created_at, sha256, LENGTH(content)"


@dataclass(frozen=True)
class StoredFile:
    """Metadata of an uploaded file."""

    number: int
    """Number of the upload, from 1."""

    name: str
    """File name given by the client."""

    purpose: str
    """Purpose given by the client, for example ``fine-tune``."""

    created_at: int
    """Upload time in seconds since 1970."""

    sha256: str
    """SHA-256 of the content."""

    size: int
    """Size in bytes."""

    @property
    def id(self) -> str:
        """ID of the file in the API."""
        return f"file-{self.number:08d}"

    def to_dict(self) -> dict[str, Any]:
        """Return the file object of the API."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": self.size,
            "created_at": self.created_at,
            "filename": self.name,
            "purpose": self.purpose,
            "status": "processed",
            "status_details": None,
        }


class FileTable:
    """The uploaded files, ordered by upload."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, name: str, purpose: str, content: bytes) -> StoredFile:
        """Store a file."""
        sha256 = hashlib.sha256(content).hexdigest()
        created_at = int(time.time())
        cursor = self._connection.execute(
            "INSERT INTO files (name, purpose, created_at, sha256, content) VALUES (?, ?, ?, ?, ?)",
            (name, purpose, created_at, sha256, content),
        )
        assert cursor.lastrowid is not None
        return StoredFile(cursor.lastrowid, name, purpose, created_at, sha256, len(content))

    def get(self, file_id: str) -> StoredFile | None:
        """Return the file with an ID; None if it does not exist."""
        query = f"SELECT {_COLUMNS} FROM files WHERE number = ?"
        row = self._connection.execute(query, (number_in(file_id, "file-"),)).fetchone()
        return None if row is None else StoredFile(*row)

    def content(self, file: StoredFile) -> bytes:
        """Return the content of a file."""
        query = "SELECT content FROM files WHERE number = ?"
        (content,) = self._connection.execute(query, (file.number,)).fetchone()
        return bytes(content)

    def all(self) -> Sequence[StoredFile]:
        """Return all files, oldest first."""
        query = f"SELECT {_COLUMNS} FROM files ORDER BY number"
        return [StoredFile(*row) for row in self._connection.execute(query)]

    def num_bytes(self) -> int:
        """Return the size of all files together."""
        (total,) = self._connection.execute("SELECT SUM(LENGTH(content)) FROM files").fetchone()
        return total or 0

    def delete(self, file: StoredFile) -> None:
        """Delete a file. AUTOINCREMENT guarantees that its number is not reused."""
        self._connection.execute("DELETE FROM files WHERE number = ?", (file.number,))


def number_in(identifier: str, prefix: str) -> int:
    """Return the number in an ID such as ``file-00000012``; 0, which no row has, if malformed."""
    digits = identifier.removeprefix(prefix)
    is_one = identifier.startswith(prefix) and digits.isascii() and digits.isdigit()
    return int(digits) if is_one and len(digits) < 16 else 0


class FineTuningJobTable:
    """The fine-tuning jobs, ordered by creation."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, record: JobRecord) -> JobRecord:
        """Store a new job and assign its number."""
        cursor = self._connection.execute("INSERT INTO jobs (record) VALUES ('')")
        assert cursor.lastrowid is not None
        record.number = cursor.lastrowid
        self.save(record)
        return record

    def save(self, record: JobRecord) -> None:
        """Store the changed record of a job."""
        text = json.dumps(asdict(record))
        self._connection.execute(
            "UPDATE jobs SET record = ? WHERE number = ?", (text, record.number)
        )

    def get(self, job_id: str) -> JobRecord | None:
        """Return the job with an ID; None if it does not exist."""
        query = "SELECT record FROM jobs WHERE number = ?"
        row = self._connection.execute(query, (number_in(job_id, "ftjob-"),)).fetchone()
        return None if row is None else JobRecord(**json.loads(row[0]))

    def all(self) -> Sequence[JobRecord]:
        """Return all jobs, oldest first."""
        rows = self._connection.execute("SELECT record FROM jobs ORDER BY number")
        return [JobRecord(**json.loads(text)) for (text,) in rows]

    def __len__(self) -> int:
        (count,) = self._connection.execute("SELECT COUNT(*) FROM jobs").fetchone()
        return int(count)


class ModelTable:
    """The fine-tuned models, ordered by creation."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        # Every chat request needs the data of its model; parsing up to a megabyte of JSON for each
        # would dominate the response time.
        self._data: dict[str, Any] = {}

    def add(self, name: str, data: Any) -> None:
        """Store a model; one of the same name comes from an equal job and is replaced."""
        self._connection.execute(
            "INSERT INTO models (name, created_at, data) VALUES (?, ?, ?) "
            "ON CONFLICT (name) DO UPDATE SET data = excluded.data",
            (name, int(time.time()), json.dumps(data)),
        )
        self._data.pop(name, None)

    def __contains__(self, name: str) -> bool:
        if name in self._data:
            return True
        query = "SELECT 1 FROM models WHERE name = ?"
        return self._connection.execute(query, (name,)).fetchone() is not None

    def data(self, name: str) -> Any:
        """Return the trained data of a model; None for a base model."""
        if name not in self._data:
            query = "SELECT data FROM models WHERE name = ?"
            row = self._connection.execute(query, (name,)).fetchone()
            if row is None:
                return None
            self._data[name] = json.loads(row[0])
        return self._data[name]

    def all(self) -> Sequence[tuple[str, int]]:
        """Return names and creation times, oldest first."""
        return list(self._connection.execute("SELECT name, created_at FROM models ORDER BY number"))

    def delete(self, name: str) -> None:
        """Delete a model."""
        self._connection.execute("DELETE FROM models WHERE name = ?", (name,))
        self._data.pop(name, None)


UPLOADS = "uploads"
JOBS = "jobs"
FAULTS = "faults"
MATCHES = "matches"
BILLED = "billed"


@dataclass(frozen=True)
class Counters:
    """Counts of requests and of their effects."""

    num_requests: int = 0
    """Valid requests of all kinds, including those that got a fault."""

    num_generations: int = 0
    """Completions that were sent."""

    prompt_tokens: int = 0
    """Prompt tokens of these completions."""

    completion_tokens: int = 0
    """Completion tokens of these completions."""

    generations: dict[str, int] = field(default_factory=dict)
    """Completions sent per request digest; above 1 the client paid for the same request twice."""

    uploads: dict[str, int] = field(default_factory=dict)
    """Stored files, by the SHA-256 of their content."""

    jobs: dict[str, int] = field(default_factory=dict)
    """Created jobs, by each ``name=value`` of their metadata."""

    num_jobs: int = 0
    """Created jobs."""

    faults: dict[str, int] = field(default_factory=dict)
    """Injected faults, by name."""

    billed: dict[str, int] = field(default_factory=dict)
    """Tokens that a service would charge, also for answers that were lost or cannot be used:
    ``prompt_tokens``, ``completion_tokens``, and ``trained_tokens`` of finished jobs."""

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON-compatible data."""
        return asdict(self)


class CounterTable:
    """The counters, stored with the rest of the state."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def count_request(self, digest: bytes) -> int:
        """Count a request; return the number of equal requests before it."""
        (arrivals,) = self._connection.execute(
            "INSERT INTO requests (digest, arrivals) VALUES (?, 1) "
            "ON CONFLICT (digest) DO UPDATE SET arrivals = arrivals + 1 RETURNING arrivals",
            (digest,),
        ).fetchone()
        return int(arrivals) - 1

    def count_generation(self, digest: bytes, prompt_tokens: int, completion_tokens: int) -> None:
        """Count a completion that was sent."""
        self._connection.execute(
            "UPDATE requests SET generations = generations + 1, "
            "prompt_tokens = prompt_tokens + ?, completion_tokens = completion_tokens + ? "
            "WHERE digest = ?",
            (prompt_tokens, completion_tokens, digest),
        )

    def increment(self, kind: str, name: str) -> int:
        """Increment a named counter; return its value before."""
        (count,) = self._connection.execute(
            "INSERT INTO tallies VALUES (?, ?, 1) "
            "ON CONFLICT (kind, name) DO UPDATE SET count = count + 1 RETURNING count",
            (kind, name),
        ).fetchone()
        return int(count) - 1

    def bill(self, **tokens: int) -> None:
        """Add tokens that a service would charge, by their kind."""
        for name, count in tokens.items():
            self._connection.execute(
                "INSERT INTO tallies VALUES (?, ?, ?) "
                "ON CONFLICT (kind, name) DO UPDATE SET count = count + excluded.count",
                (BILLED, name, count),
            )

    def read(self, num_jobs: int) -> Counters:
        """Return all counts."""
        sums = "SUM(arrivals), SUM(generations), SUM(prompt_tokens), SUM(completion_tokens)"
        row = self._connection.execute(f"SELECT {sums} FROM requests").fetchone()
        num_requests, num_generations, prompt_tokens, completion_tokens = (
            each or 0 for each in row
        )
        query = "SELECT LOWER(HEX(digest)), generations FROM requests WHERE generations > 0"
        return Counters(
            num_requests=num_requests,
            num_generations=num_generations,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            generations=dict(self._connection.execute(query).fetchall()),
            uploads=self._tallies(UPLOADS),
            jobs=self._tallies(JOBS),
            num_jobs=num_jobs,
            faults=self._tallies(FAULTS),
            billed=self._tallies(BILLED),
        )

    def _tallies(self, kind: str) -> dict[str, int]:
        query = "SELECT name, count FROM tallies WHERE kind = ? ORDER BY name"
        return dict(self._connection.execute(query, (kind,)).fetchall())
