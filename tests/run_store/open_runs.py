"""Runs opened by tests in this process."""

import json
import sqlite3
from contextlib import closing

from nip.run_store import Run
from nip.run_store.database import LAST_CHECKPOINT_KEY
from nip.run_store.database.origin import IDENTITY_KEY, PARAMETERS_KEY

KEYS = (IDENTITY_KEY, PARAMETERS_KEY, LAST_CHECKPOINT_KEY)

PARAMETERS = {"seed": 1, "rl": {"lr": 1e-4, "gamma": 0.9}, "agents": {"_default": {"width": 16}}}


def begin(settings, run_id="r", parameters=PARAMETERS, resume="auto"):
    return Run.open(settings, run_id, parameters, resume)


def everything_in(folder):
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def make_old(folder):
    """Make a run one of an earlier version, whose files do not say to which run they belong."""
    for path in (folder / "environment.json", *folder.glob("checkpoints/*/manifest.json")):
        content = json.loads(path.read_text())
        kept = {key: value for key, value in content.items() if key not in KEYS}
        path.write_text(json.dumps(kept))
    with closing(sqlite3.connect(folder / "run.db")) as connection, connection:
        connection.executemany("DELETE FROM run_state WHERE key = ?", [(key,) for key in KEYS])
