"""Sweeps that are killed and started again, and the comparison of what they leave."""

import hashlib
import json
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from nip.parameters.tree.yaml_text import dump
from nip.run_store.reading import read_history
from nip.run_store.run_id import existing_run_ids
from nip.sweeps.cell_state import read_state_of_cell
from nip.sweeps.sweep_folder import SweepFolder

NAME = "s"


def write_sweep(folder: Path, **fields: Any) -> Path:
    """Write the file of a sweep of toy games into a new folder; return the file."""
    folder.mkdir()
    base = {
        "experiment": "toy",
        "rl.num_iterations": 4,
        "settings.progress": False,
        "settings.checkpoint_period": 1,
        **fields.pop("base", {}),
    }
    path = folder / f"{NAME}.yaml"
    path.write_text(dump({"base": base, **fields}))
    return path


def run_folders(folder: Path) -> list[Path]:
    """Return the folders of all runs of a sweep, sorted."""
    return [folder / "runs" / run_id for run_id in existing_run_ids(folder / "runs")]


def results(folder: Path) -> dict[str, Any]:
    """Return all that must be the same, bit for bit, however often a sweep was killed."""
    found: dict[str, Any] = {}
    for run in run_folders(folder):
        assert read_state_of_cell(run).status == "completed", run
        weights = sorted(run.glob("checkpoints/*/*.safetensors"))
        files = [run / "result.json", run / "hyper_params.yaml", *weights]
        found[run.name] = {
            "metrics": read_history(run).to_dict(),
            "files": {str(path.relative_to(run)): _digest(path) for path in files},
        }
        assert weights
    return found


def finished(folder: Path) -> dict[Path, tuple[str, int]]:
    """Return content and time of all files of completed runs."""
    return {
        path: (_digest(path), path.stat().st_mtime_ns)
        for run in run_folders(folder)
        if read_state_of_cell(run).status == "completed"
        for path in run.rglob("*")
        # SQLite creates two files beside a database while it is read.
        if path.is_file() and not path.name.endswith(("-shm", "-wal"))
    }


def assert_left_alone(before: Mapping[Path, tuple[str, int]]) -> None:
    """Check that files are as they were."""
    assert {path: (_digest(path), path.stat().st_mtime_ns) for path in before} == before


def assert_none_ran_after_its_end(folder: Path) -> None:
    """Check that no process of a cell was started after a process saw that it had finished."""
    ended: set[str] = set()
    for event in SweepFolder(folder / "runs" / f"{NAME}.sweep").events():
        if event["event"] == "started":
            assert event["run_id"] not in ended, event
        elif event["event"] == "completed":
            ended.add(event["run_id"])


def num_starts(run: Path) -> int:
    """Count the processes that have trained in a run."""
    return len(json.loads((run / "environment.json").read_text())["starts"])


def kill(*pids: int) -> None:
    """Kill processes that may have ended."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
