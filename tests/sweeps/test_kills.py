"""A sweep that is killed and issued again loses nothing, and does nothing twice."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any

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
}


def start(file: Path, *changes: str) -> Fork:
    return fork_server().start(RUN, file.name, *changes, folder=file.parent)


def finish(file: Path, *changes: str) -> str:
    ending = start(file, *changes).wait(280)
    assert ending is not None
    assert ending.exit_code == 0, ending.stdout + ending.stderr
    return ending.stdout


class ForkedSweep:
    """A sweep in a fork, with cells that are forks of it."""

    def __init__(self, file: Path) -> None:
        self.file, self.fork = file, start(file)

    def has_ended(self, seconds: float) -> bool:
        return self.fork.wait(seconds) is not None

    def kill(self, with_cells: bool) -> None:
        self.fork.kill()
        if with_cells:
            kill(*pids_of_cells(self.file.parent / "runs" / f"{NAME}.sweep"))


class ProcessSweep:
    """``python scripts/sweep.py`` and the processes that it starts."""

    def __init__(self, file: Path) -> None:
        self.file = file
        with (file.parent / "output").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, SCRIPT, file.name], cwd=file.parent, stdout=log, stderr=log
            )

    def has_ended(self, seconds: float) -> bool:
        try:
            return self.process.wait(seconds) is not None
        except subprocess.TimeoutExpired:
            return False

    def kill(self, with_cells: bool) -> None:
        self.process.kill()
        self.process.wait()
        if with_cells:
            kill(*cell_processes(self.file.parent))


Sweep = type[ForkedSweep] | type[ProcessSweep]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """Return the folder of a small sweep that nothing disturbs, and its duration."""
    return run_undisturbed(tmp_path_factory.mktemp("whole"), SMALL, ForkedSweep)


def run_undisturbed(parent: Path, fields: dict[str, Any], sweep: Sweep) -> tuple[Path, float]:
    file = write_sweep(parent / "whole", **fields)
    fork_server().call("json:dumps", None)
    begun = time.monotonic()
    assert sweep(file).has_ended(1000)
    return file.parent, time.monotonic() - begun


def check_after_kills(
    whole: tuple[Path, float],
    parent: Path,
    fields: dict[str, Any],
    sweep: Sweep,
    num_kills: int,
    num_parts: float,
) -> None:
    """Kill sweeps at random moments until there were enough kills, and compare what they leave.

    Between two kills there is at most the duration of an undisturbed sweep, divided by
    ``num_parts``. Every other time the cells are not killed: they go on alone, and are waited for.
    """
    expected = results(whole[0])
    generator = random.Random(num_kills)
    for number in count():
        file = write_sweep(parent / str(number), **fields)
        before: dict[Path, tuple[str, int]] = {}
        while num_kills:
            running = sweep(file)
            if running.has_ended(generator.uniform(0.2, 1) * whole[1] / num_parts):
                break
            num_kills -= 1
            running.kill(with_cells=num_kills % 2 == 1)
            assert_left_alone(before)
            before |= finished(file.parent)
        assert sweep(file).has_ended(1000)
        assert_left_alone(before)
        assert_none_ran_after_its_end(file.parent)
        assert results(file.parent) == expected
        if not num_kills:
            return


def test_three_cells_after_two_kills_are_those_of_an_undisturbed_sweep(
    whole: tuple[Path, float], tmp_path: Path
) -> None:
    check_after_kills(whole, tmp_path, SMALL, ForkedSweep, 2, 2)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    ("sweep", "num_seeds", "num_kills"), [(ForkedSweep, 5, 20), (ProcessSweep, 1, 5)]
)
def test_many_cells_after_many_kills_are_those_of_an_undisturbed_sweep(
    sweep: Sweep, num_seeds: int, num_kills: int, tmp_path: Path
) -> None:
    seeds = list(range(1, num_seeds + 1))
    fields = {**LARGE, "seeds": seeds}
    if sweep is ForkedSweep:
        fields["launcher"] = "forks"
    undisturbed = run_undisturbed(tmp_path, fields, sweep)
    assert len(results(undisturbed[0])) == 4 * num_seeds
    check_after_kills(undisturbed, tmp_path, fields, sweep, num_kills, num_kills / 3)


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
