"""The SQLite files of a run: ``run.db`` and ``analyses.db``."""

from nip.run_store.database.run_database import (
    DIGEST_PREFIX,
    LAST_CHECKPOINT_KEY,
    STATE_PREFIX,
    RunDatabase,
)

__all__ = ["DIGEST_PREFIX", "LAST_CHECKPOINT_KEY", "STATE_PREFIX", "RunDatabase"]
