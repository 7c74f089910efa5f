"""Tables of ``run.db`` by the layout version that added them, and migration."""

import json
import sqlite3

from nip.utils.exact_json import dump_compactly

SCHEMA_VERSION = 3
"""Layout of a file. Up to layout 2, iterations and rounds of dialogues were counted from 0."""

# Rows with a small value are stored in the primary key (WITHOUT ROWID), which halves the writes.
# For rows of more than a few hundred bytes this would be slower.
_LAYOUTS = {
    1: (
        """
CREATE {temporary} TABLE metrics (
    iteration INTEGER NOT NULL,
    name TEXT NOT NULL,
    value REAL,
    PRIMARY KEY (iteration, name)
) WITHOUT ROWID
""",
        """
CREATE {temporary} TABLE run_state (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID
""",
    ),
    2: (
        """
CREATE {temporary} TABLE journal (
    key TEXT NOT NULL PRIMARY KEY,
    entry TEXT NOT NULL
)
""",
        """
CREATE {temporary} TABLE rollouts (
    phase TEXT NOT NULL,
    iteration INTEGER NOT NULL,
    position INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (phase, iteration, position)
)
""",
        """
CREATE {temporary} TABLE fine_tuning_jobs (
    key TEXT NOT NULL PRIMARY KEY,
    iteration INTEGER NOT NULL,
    model_group TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    status TEXT NOT NULL,
    backend TEXT NOT NULL,
    base_model TEXT NOT NULL,
    method TEXT NOT NULL,
    hyper_params TEXT NOT NULL,
    seed INTEGER NOT NULL,
    suffix TEXT NOT NULL,
    dataset_path TEXT NOT NULL,
    dataset_sha256 TEXT NOT NULL,
    num_examples INTEGER NOT NULL,
    file_name TEXT NOT NULL,
    file_id TEXT,
    job_id TEXT,
    model TEXT,
    trained_tokens INTEGER,
    cost REAL,
    error TEXT,
    has_stopped_run INTEGER NOT NULL,
    events TEXT NOT NULL,
    UNIQUE (iteration, model_group, attempt)
)
""",
    ),
}


_COUNTING_FROM_0 = 2

# In two steps, because a number must be unique at any time.
_COUNT_FROM_1 = (
    "UPDATE rollouts SET iteration = -1 - iteration, record = count_rounds_from_1(record)",
    "UPDATE rollouts SET iteration = -iteration",
    "UPDATE fine_tuning_jobs SET iteration = -1 - iteration",
    "UPDATE fine_tuning_jobs SET iteration = -iteration",
)

_FROM_1 = {
    "iteration": "iteration + 1 AS iteration",
    "record": "count_rounds_from_1(record) AS record",
}


def _count_rounds_from_1(record: str) -> str:
    """Increment the round of each message in the record of a rollout."""
    tree = json.loads(record)
    for message in tree.get("messages", ()):
        message["round"] += 1
    return dump_compactly(tree)


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Create the tables that a file of an older layout, or an empty one, lacks; atomically."""
    if version == SCHEMA_VERSION:
        return
    counts_from_0 = version == _COUNTING_FROM_0
    if counts_from_0:
        connection.create_function("count_rounds_from_1", 1, _count_rounds_from_1)
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in _missing(version):
            connection.execute(statement.format(temporary=""))
        for statement in _COUNT_FROM_1 if counts_from_0 else ():
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def create_temporary(connection: sqlite3.Connection, version: int) -> None:
    """Let a file of an older layout appear as one of the present layout, without changing it.

    Missing tables are empty temporary ones, and others are covered by temporary views.
    """
    for statement in _missing(version):
        connection.execute(statement.format(temporary="TEMPORARY"))
    if version == _COUNTING_FROM_0:
        connection.create_function("count_rounds_from_1", 1, _count_rounds_from_1)
        for table in ("rollouts", "fine_tuning_jobs"):
            names = [row[1] for row in connection.execute(f"PRAGMA main.table_info({table})")]
            columns = ", ".join(_FROM_1.get(name, name) for name in names)
            connection.execute(
                f"CREATE TEMPORARY VIEW {table} AS SELECT {columns} FROM main.{table}"
            )


def _missing(version: int) -> list[str]:
    layouts = [number for number in _LAYOUTS if number > version]
    return [statement for number in layouts for statement in _LAYOUTS[number]]
