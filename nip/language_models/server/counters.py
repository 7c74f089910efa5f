"""How often the endpoint was asked what, and what it did: for tests and for the bill."""

import sqlite3
from dataclasses import asdict, dataclass, field
from typing import Any

UPLOADS = "uploads"
JOBS = "jobs"
FAULTS = "faults"
MATCHES = "matches"


@dataclass(frozen=True)
class Counters:
    """What an endpoint has done so far."""

    num_requests: int = 0
    """Requests of all kinds that were read, also those that then met a fault."""

    num_generations: int = 0
    """Answers of a model that were sent."""

    prompt_tokens: int = 0
    """Tokens read for these answers."""

    completion_tokens: int = 0
    """Tokens of these answers."""

    generations: dict[str, int] = field(default_factory=dict)
    """Answers sent to each request, by its digest; above 1 the same was paid twice."""

    uploads: dict[str, int] = field(default_factory=dict)
    """Files kept, by the SHA-256 of their content."""

    jobs: dict[str, int] = field(default_factory=dict)
    """Jobs made, by each ``name=value`` of their metadata."""

    num_jobs: int = 0
    """Jobs made."""

    faults: dict[str, int] = field(default_factory=dict)
    """Faults shown, by name."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that JSON can hold."""
        return asdict(self)


class CounterTable:
    """The counts, which survive with the rest of the state."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def arrive(self, digest: bytes) -> int:
        """Count a request; return how often the same came before."""
        (arrivals,) = self._connection.execute(
            "INSERT INTO requests (digest, arrivals) VALUES (?, 1) "
            "ON CONFLICT (digest) DO UPDATE SET arrivals = arrivals + 1 RETURNING arrivals",
            (digest,),
        ).fetchone()
        return int(arrivals) - 1

    def generate(self, digest: bytes, prompt_tokens: int, completion_tokens: int) -> None:
        """Count an answer of a model."""
        self._connection.execute(
            "UPDATE requests SET generations = generations + 1, "
            "prompt_tokens = prompt_tokens + ?, completion_tokens = completion_tokens + ? "
            "WHERE digest = ?",
            (prompt_tokens, completion_tokens, digest),
        )

    def tally(self, kind: str, name: str) -> int:
        """Count something else; return how often the same was counted before."""
        (count,) = self._connection.execute(
            "INSERT INTO tallies VALUES (?, ?, 1) "
            "ON CONFLICT (kind, name) DO UPDATE SET count = count + 1 RETURNING count",
            (kind, name),
        ).fetchone()
        return int(count) - 1

    def read(self, num_jobs: int) -> Counters:
        """Give all counts."""
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
        )

    def _tallies(self, kind: str) -> dict[str, int]:
        query = "SELECT name, count FROM tallies WHERE kind = ? ORDER BY name"
        return dict(self._connection.execute(query, (kind,)).fetchall())
