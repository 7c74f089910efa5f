"""The files that clients uploaded."""

import hashlib
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_COLUMNS = "number, name, purpose, created_at, sha256, LENGTH(content)"


@dataclass(frozen=True)
class StoredFile:
    """What is known of a file."""

    number: int
    """Counts the uploads from 1."""

    name: str
    """Name that the client gave it."""

    purpose: str
    """What the client means to do with it, for example ``fine-tune``."""

    created_at: int
    """Time of the upload in seconds since 1970."""

    sha256: str
    """Fingerprint of the content."""

    size: int
    """Bytes."""

    @property
    def id(self) -> str:
        """The name by which clients refer to it."""
        return f"file-{self.number:08d}"

    def to_dict(self) -> dict[str, Any]:
        """Return what clients get to see."""
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
    """All files, in the order of their uploads."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, name: str, purpose: str, content: bytes) -> StoredFile:
        """Keep a file."""
        sha256 = hashlib.sha256(content).hexdigest()
        created_at = int(time.time())
        cursor = self._connection.execute(
            "INSERT INTO files (name, purpose, created_at, sha256, content) VALUES (?, ?, ?, ?, ?)",
            (name, purpose, created_at, sha256, content),
        )
        assert cursor.lastrowid is not None
        return StoredFile(cursor.lastrowid, name, purpose, created_at, sha256, len(content))

    def get(self, file_id: str) -> StoredFile | None:
        """Look a file up."""
        query = f"SELECT {_COLUMNS} FROM files WHERE number = ?"
        row = self._connection.execute(query, (number_in(file_id, "file-"),)).fetchone()
        return None if row is None else StoredFile(*row)

    def content(self, file: StoredFile) -> bytes:
        """Read what is in a file."""
        query = "SELECT content FROM files WHERE number = ?"
        (content,) = self._connection.execute(query, (file.number,)).fetchone()
        return bytes(content)

    def all(self) -> Sequence[StoredFile]:
        """List the files, the oldest first."""
        query = f"SELECT {_COLUMNS} FROM files ORDER BY number"
        return [StoredFile(*row) for row in self._connection.execute(query)]

    def delete(self, file: StoredFile) -> None:
        """Forget a file; its number is not given again."""
        self._connection.execute("DELETE FROM files WHERE number = ?", (file.number,))


def number_in(identifier: str, prefix: str) -> int:
    """Read the number in an identifier such as ``file-00000012``; 0, which nothing has, if none."""
    digits = identifier.removeprefix(prefix)
    is_one = identifier.startswith(prefix) and digits.isascii() and digits.isdigit()
    return int(digits) if is_one and len(digits) < 16 else 0
