"""The models that fine-tuning made."""

import json
import sqlite3
import time
from collections.abc import Sequence
from typing import Any


class ModelTable:
    """All fine-tuned models, the oldest first."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        # Each answer needs what its model knows, which may be a megabyte of JSON.
        self._data: dict[str, Any] = {}

    def add(self, name: str, data: Any) -> None:
        """Keep a model; one of the same name came from an equal job and is replaced."""
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
        """Return what training made of a model; None for one that was never trained."""
        if name not in self._data:
            query = "SELECT data FROM models WHERE name = ?"
            row = self._connection.execute(query, (name,)).fetchone()
            if row is None:
                return None
            self._data[name] = json.loads(row[0])
        return self._data[name]

    def all(self) -> Sequence[tuple[str, int]]:
        """List names and times of making."""
        return list(self._connection.execute("SELECT name, created_at FROM models ORDER BY number"))

    def delete(self, name: str) -> None:
        """Forget a model."""
        self._connection.execute("DELETE FROM models WHERE name = ?", (name,))
        self._data.pop(name, None)
