"""Tables of ``run.db`` by the layout version that added them, and migration."""

import sqlite3

SCHEMA_VERSION = 2

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


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Create the tables that a file of an older layout, or an empty one, lacks; atomically."""
    if version == SCHEMA_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in _missing(version):
            connection.execute(statement.format(temporary=""))
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def create_temporary(connection: sqlite3.Connection, version: int) -> None:
    """Create missing tables as empty temporary tables, without changing the file."""
    for statement in _missing(version):
        connection.execute(statement.format(temporary="TEMPORARY"))


def _missing(version: int) -> list[str]:
    layouts = [number for number in _LAYOUTS if number > version]
    return [statement for number in layouts for statement in _LAYOUTS[number]]
