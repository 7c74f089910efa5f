"""Whether a process has a run open is found without taking its lock."""

import sys
from pathlib import Path

import pytest

from nip.experiment_settings import ExperimentSettings
from nip.run_store import Run, liveness
from nip.run_store.liveness import is_open, last_written

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="locks are listed on Linux only")


@ON_LINUX
def test_a_run_is_open_until_it_is_closed(tmp_path: Path) -> None:
    settings = ExperimentSettings(runs_dir=str(tmp_path))
    assert is_open(tmp_path / "none") is False
    for _ in range(2):
        with Run.open(settings, "one", {"seed": 1}) as run:
            assert is_open(run.folder) is True
        assert is_open(run.folder) is False


@ON_LINUX
def test_looking_neither_takes_nor_changes_the_lock(tmp_path: Path) -> None:
    settings = ExperimentSettings(runs_dir=str(tmp_path))
    with Run.open(settings, "one", {"seed": 1}) as run:
        lock = run.folder / ".lock"
    before = lock.read_bytes(), lock.stat().st_mtime_ns
    assert is_open(run.folder) is False
    assert (lock.read_bytes(), lock.stat().st_mtime_ns) == before
    Run.open(settings, "one", {"seed": 1}).close()


def test_a_holder_on_another_machine_is_unknown(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text("process 7 on elsewhere", encoding="utf-8")
    assert is_open(tmp_path) is None


def test_without_a_list_of_locks_it_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".lock").touch()
    monkeypatch.setattr(liveness, "_LOCKS", tmp_path / "nothing")
    assert is_open(tmp_path) is None


def test_the_time_of_the_last_write_is_that_of_the_database(tmp_path: Path) -> None:
    assert last_written(tmp_path) is None
    (tmp_path / "run.db").touch()
    assert last_written(tmp_path) == (tmp_path / "run.db").stat().st_mtime
