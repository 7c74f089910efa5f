"""A sweep that is killed and issued again loses nothing, and does nothing twice."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from nip.sweeps.cell_state import read_state_of_cell
from tests.fork_server import REPOSITORY, Fork, fork_server
from tests.sweeps.disturbed import (
    NAME,
    assert_left_alone,
    assert_none_ran_after_its_end,
    finished,
    kill,
    num_starts,
    results,
    run_folders,
    write_sweep,
)
from tests.sweeps.fork_launcher import RUN, pids_of_cells

SMALL = {"launcher": "forks", "workers": 2, "seeds": [1, 2, 3]}
SCRIPT = REPOSITORY / "scripts" / "sweep.py"
CHECKPOINTS = "runs/*/checkpoints/iteration_*"
LARGE = {
    "workers": 2,
    "parameters": {"rl.lr": [0.05, 0.02], "ppo.clip_epsilon": [0.1, 0.2]},
    "seeds": [1, 2, 3, 4, 5],
}


def start(file: Path, *changes: str) -> Fork:
    return fork_server().start(RUN, file.name, *changes, folder=file.parent)


def finish(file: Path, *changes: str) -> str:
    ending = start(file, *changes).wait(200)
    assert ending is not None
    assert ending.exit_code == 0, ending.stdout + ending.stderr
    return ending.stdout


def duration_of(work: Callable[[], object]) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """Return the folder of a small sweep that nothing disturbs, and its duration."""
    file = write_sweep(tmp_path_factory.mktemp("whole") / "sweep", **SMALL)
    fork_server().call("json:dumps", None)
    return file.parent, duration_of(lambda: finish(file))


def test_three_cells_after_two_kills_are_those_of_an_undisturbed_sweep(
    whole: tuple[Path, float], tmp_path: Path
) -> None:
    undisturbed, duration = whole
    generator, num_kills = random.Random(0), 2
    for number in count():
        file = write_sweep(tmp_path / str(number), **SMALL)
        sweep_folder = file.parent / "runs" / f"{NAME}.sweep"
        while num_kills:
            fork = start(file)
            if fork.wait(generator.uniform(0.3, 0.9) * duration) is not None:
                break
            num_kills -= 1
            fork.kill()
            if num_kills:
                # Not the other time: its cells go on alone, and are waited for.
                kill(*pids_of_cells(sweep_folder))
            before = finished(file.parent)
        finish(file)
        assert_left_alone(before)
        assert_none_ran_after_its_end(file.parent)
        assert results(file.parent) == results(undisturbed)
        if not num_kills:
            break


def test_the_same_command_leaves_completed_cells_alone_and_added_seeds_extend_it(
    whole: tuple[Path, float],
) -> None:
    folder, _ = whole
    before = finished(folder)
    output = finish(folder / f"{NAME}.yaml", "seeds=[3,2,1,4]")
    assert output.count("started") == 1
    assert "4 completed" in output
    assert_left_alone(before)
    (added,) = {run for run in run_folders(folder) if run / "result.json" not in before}
    assert "seed-4" in added.name
    # The folder is that of other tests too.
    shutil.rmtree(added)


def test_a_stopped_sweep_lets_its_cells_save_and_asks_to_be_issued_again(tmp_path: Path) -> None:
    file = write_sweep(tmp_path / "stopped", base={"rl.num_iterations": 100_000}, **SMALL)
    fork = start(file)
    while len({path.parents[1] for path in file.parent.glob(CHECKPOINTS)}) < 2:
        assert fork.wait(0.05) is None
    os.kill(fork.pid, signal.SIGUSR1)
    ending = fork.wait(60)
    assert ending is not None
    assert ending.exit_code == 75, ending.stderr
    assert "SIGUSR1: all runs save and end" in ending.stderr
    assert "2 stopped" in ending.stdout
    for run in run_folders(file.parent):
        assert read_state_of_cell(run).status == "interrupted"
    assert "is stored in" in "".join(
        path.read_text() for path in file.parent.glob("runs/s.sweep/logs/*.log")
    )


def test_a_cell_that_somebody_else_stops_is_resumed(tmp_path: Path) -> None:
    file = write_sweep(tmp_path / "sweep", launcher="forks", workers=1, seeds=[1])
    fork = start(file)
    pids: list[int] = []
    while not pids or not list(file.parent.glob(CHECKPOINTS)):
        assert fork.wait(0.01) is None
        pids = pids_of_cells(file.parent / "runs" / f"{NAME}.sweep")
    os.kill(pids[0], signal.SIGTERM)
    ending = fork.wait(60)
    assert ending is not None and ending.exit_code == 0, ending
    assert "was interrupted, and will be resumed" in ending.stdout
    (run,) = run_folders(file.parent)
    assert num_starts(run) == 2


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_twenty_cells_after_twenty_kills_are_those_of_an_undisturbed_sweep(tmp_path: Path) -> None:
    file = write_sweep(tmp_path / "whole", **LARGE)
    duration = duration_of(lambda: process(file).wait())
    expected = results(file.parent)
    assert len(expected) == 20
    generator, num_kills = random.Random(1), 20
    for number in count():
        file = write_sweep(tmp_path / str(number), **LARGE)
        while num_kills:
            running = process(file)
            try:
                running.wait(generator.uniform(0, duration / 6))
                break
            except subprocess.TimeoutExpired:
                num_kills -= 1
            running.kill()
            running.wait()
            if num_kills % 4:
                # Not each time: cells that go on alone are waited for.
                kill(*cell_processes(file.parent))
            before = finished(file.parent)
            if num_kills:
                assert_left_alone(before)
        assert process(file).wait() == 0
        assert_left_alone(before)
        assert_none_ran_after_its_end(file.parent)
        assert results(file.parent) == expected
        if not num_kills:
            break


def process(file: Path) -> "subprocess.Popen[bytes]":
    log = (file.parent / "output").open("ab")
    return subprocess.Popen(
        [sys.executable, SCRIPT, file.name], cwd=file.parent, stdout=log, stderr=log
    )


def cell_processes(folder: Path) -> list[int]:
    """Return the processes that run experiments in this working folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            is_experiment = b"\0nip\0run\0" in (path / "cmdline").read_bytes()
            if is_experiment and (path / "cwd").resolve() == folder.resolve():
                found.append(int(path.name))
        except OSError:
            continue
    return found
