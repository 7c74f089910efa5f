"""The fine-tuning jobs that clients made."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict

from nip.language_models.server.file_table import number_in
from nip.language_models.server.job_record import JobRecord


class JobTable:
    """All jobs, in the order in which they were made."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, record: JobRecord) -> JobRecord:
        """Keep a new job, and give it its number."""
        cursor = self._connection.execute("INSERT INTO jobs (record) VALUES ('')")
        assert cursor.lastrowid is not None
        record.number = cursor.lastrowid
        self.save(record)
        return record

    def save(self, record: JobRecord) -> None:
        """Keep what has changed."""
        text = json.dumps(asdict(record))
        self._connection.execute(
            "UPDATE jobs SET record = ? WHERE number = ?", (text, record.number)
        )

    def get(self, job_id: str) -> JobRecord | None:
        """Look a job up."""
        query = "SELECT record FROM jobs WHERE number = ?"
        row = self._connection.execute(query, (number_in(job_id, "ftjob-"),)).fetchone()
        return None if row is None else JobRecord(**json.loads(row[0]))

    def all(self) -> Sequence[JobRecord]:
        """List the jobs, the oldest first."""
        rows = self._connection.execute("SELECT record FROM jobs ORDER BY number")
        return [JobRecord(**json.loads(text)) for (text,) in rows]

    def __len__(self) -> int:
        (count,) = self._connection.execute("SELECT COUNT(*) FROM jobs").fetchone()
        return int(count)
