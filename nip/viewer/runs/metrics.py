"""Queries for the metrics of a run."""

import math
from collections.abc import Sequence

from nip.run_store.database import RunDatabase

Points = list[tuple[int, float | None]]
"""Iterations and values; None for a value that is not finite, which strict JSON does not have."""


def latest_metrics(database: RunDatabase) -> dict[str, float | None]:
    """Return the last value of each metric, sorted by name."""
    # SQLite takes a bare column from the row with the maximum.
    query = "SELECT name, value, max(iteration) FROM metrics GROUP BY name ORDER BY name"
    with database.transaction.reading() as connection:
        return {name: _finite(value) for name, value, _ in connection.execute(query)}


def last_iteration(database: RunDatabase) -> int | None:
    """Return the last iteration with a metric; None if there is none."""
    with database.transaction.reading() as connection:
        (last,) = connection.execute("SELECT max(iteration) FROM metrics").fetchone()
    return None if last is None else int(last)


def series(database: RunDatabase, names: Sequence[str]) -> dict[str, Points]:
    """Return the values of metrics by name; a metric that was never logged has none."""
    marks = ", ".join("?" for _ in names)
    query = f"SELECT name, iteration, value FROM metrics WHERE name IN ({marks}) ORDER BY iteration"
    found: dict[str, Points] = {name: [] for name in names}
    with database.transaction.reading() as connection:
        for name, iteration, value in connection.execute(query, list(names)):
            found[name].append((iteration, _finite(value)))
    return found


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
