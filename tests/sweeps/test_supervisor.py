"""Cells are started, waited for, resumed and reported, whatever their processes do."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from nip.experiment_settings import ExperimentSettings
from nip.run_store import Run
from nip.sweeps.cells import Cell
from nip.sweeps.launcher import Job, Launcher, Task
from nip.sweeps.supervisor import CellProgress, Supervisor
from nip.sweeps.sweep_folder import SweepFolder

Work = Callable[[Run], Any]


class Checked:
    """As much of a checked experiment as a cell needs."""

    def __init__(self, runs_dir: Path) -> None:
        self.settings = ExperimentSettings(runs_dir=runs_dir)


class ScriptedJob(Job):
    """Holds its run open for some looks, does its work, and ends with a code."""

    def __init__(self, folder: Path, log: Path, work: Work | None, code: int, looks: int) -> None:
        settings = ExperimentSettings(runs_dir=folder.parent)
        self.run = None if work is None else Run.open(settings, folder.name, {"seed": 1})
        self.work, self.code, self.looks, self.log = work, code, looks, log
        self.num_stops = 0

    def exit_code(self) -> int | None:
        self.looks -= 1
        if self.looks > 0 and not self.num_stops:
            return None
        if self.run is not None and self.work is not None:
            self.work(self.run)
            self.run.close()
            self.run = None
        return self.code

    def stop(self) -> None:
        self.num_stops += 1


class ScriptedLauncher(Launcher):
    """Ends the processes of each run as it was told."""

    poll_s = 0.001

    def __init__(self, folder: Path, **scripts: Sequence[tuple[Work | None, int, str]]) -> None:
        super().__init__({}, folder)
        self.scripts = {name: list(script) for name, script in scripts.items()}
        self.started: list[str] = []
        self.num_now = self.most = 0
        self.jobs: list[ScriptedJob] = []

    def start(self, task: Task) -> Job:
        self.started.append(task.run_id)
        work, code, output = self.scripts[task.run_id].pop(0)
        with task.log.open("a") as log:
            log.write(output)
        folder = self.folder.parent / task.run_id
        self.jobs.append(ScriptedJob(folder, task.log, work, code, 3))
        return self.jobs[-1]


class Watching:
    """Notes what is reported."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str, str]] = []
        self.most = 0

    def update(self, cells: Sequence[CellProgress]) -> None:
        self.most = max(self.most, sum(each.status == "running" for each in cells))

    def report(self, progress: CellProgress) -> None:
        self.said.append((progress.cell.run_id, progress.status, progress.message))


def complete(run: Run) -> None:
    run.log(1, {"accuracy": 0.5})
    run.finish("completed")


def fail(run: Run) -> None:
    run.finish("failed", "it diverged")


def nothing(_: Run) -> None:
    """Leave the run as one that was killed."""


def overspend(run: Run) -> None:
    run.finish("failed", "SharedBudgetExceededError: All runs together")


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "nip.run_store.report.learning_curve.draw_learning_curve"
    monkeypatch.setattr(name, lambda *_: None)


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    folder = SweepFolder(tmp_path / "s.sweep")
    folder.open()
    return folder


def cells_of(folder: SweepFolder, *names: str) -> list[Cell]:
    checked: Any = Checked(folder.path.parent)
    return [Cell(name, {"name": name}, (f"run_id={name}",), checked) for name in names]


def supervise(
    folder: SweepFolder, launcher: ScriptedLauncher, workers: int = 1
) -> tuple[Supervisor, Watching]:
    watching = Watching()
    supervisor = Supervisor(folder, launcher, ["run"], workers, watching)
    supervisor.run(cells_of(folder, *launcher.scripts))
    return supervisor, watching


def statuses(supervisor: Supervisor) -> dict[str, str]:
    return {each.cell.run_id: each.status for each in supervisor.cells}


def test_a_completed_cell_is_not_started_and_a_failed_one_is_tried_again(
    folder: SweepFolder,
) -> None:
    launcher = ScriptedLauncher(folder.path, a=[(complete, 0, "")], b=[(fail, 1, "")])
    supervisor, watching = supervise(folder, launcher)
    assert statuses(supervisor) == {"a": "completed", "b": "failed"}
    assert watching.said[-1] == ("b", "failed", "it diverged")
    again = ScriptedLauncher(folder.path, a=[], b=[(complete, 0, "")])
    supervisor, _ = supervise(folder, again)
    assert again.started == ["b"]
    assert statuses(supervisor) == {"a": "completed", "b": "completed"}
    assert supervisor.cells[1].state.metrics == {"accuracy": 0.5}


@pytest.mark.parametrize("code", [75, 130, -15, -10])
def test_a_cell_that_was_stopped_from_outside_is_resumed(folder: SweepFolder, code: int) -> None:
    launcher = ScriptedLauncher(folder.path, a=[(nothing, code, ""), (complete, 0, "")])
    _, watching = supervise(folder, launcher)
    assert launcher.started == ["a", "a"]
    assert [status for _, status, _ in watching.said] == [
        *("running", "waiting", "running", "completed")
    ]
    assert [each["event"] for each in folder.events()] == [
        *("started", "interrupted", "started", "completed")
    ]


@pytest.mark.parametrize(
    ("work", "code", "output", "message"),
    [
        (None, 2, "warning: x\nerror: rl.lr must be above 0\n", "rl.lr must be above 0"),
        (nothing, 1, "Traceback\nValueError: x\n", "ValueError: x"),
        (nothing, -9, "", "it ended with exit code -9"),
    ],
)
def test_a_failure_is_reported_with_its_last_message(
    folder: SweepFolder, work: Work | None, code: int, output: str, message: str
) -> None:
    folder.log_of("a").write_text("error: of an earlier process\n")
    launcher = ScriptedLauncher(folder.path, a=[(work, code, output)])
    _, watching = supervise(folder, launcher)
    assert watching.said[-1] == ("a", "failed", message)


def test_no_more_cells_than_workers_run_at_once(folder: SweepFolder) -> None:
    scripts = {name: [(complete, 0, "")] for name in "abcdefg"}
    launcher = ScriptedLauncher(folder.path, **scripts)
    _, watching = supervise(folder, launcher, workers=3)
    assert watching.most == 3
    assert sorted(launcher.started) == list("abcdefg")


def test_what_was_begun_is_finished_first(folder: SweepFolder) -> None:
    launcher = ScriptedLauncher(folder.path, b=[(nothing, 1, "")], c=[(fail, 1, "")])
    supervise(folder, launcher)
    scripts = {name: [(complete, 0, "")] for name in "abc"}
    again = ScriptedLauncher(folder.path, **scripts)
    supervise(folder, again)
    assert again.started == ["b", "a", "c"]


def test_a_run_that_another_process_has_open_is_waited_for(folder: SweepFolder) -> None:
    settings = ExperimentSettings(runs_dir=folder.path.parent)
    other = Run.open(settings, "a", {"seed": 1})

    def end_other(run: Run) -> None:
        complete(other)
        other.close()
        complete(run)

    launcher = ScriptedLauncher(folder.path, a=[], b=[(end_other, 0, "")])
    supervisor, _ = supervise(folder, launcher, workers=2)
    assert launcher.started == ["b"]
    assert statuses(supervisor) == {"a": "completed", "b": "completed"}


def test_a_process_that_finds_its_run_in_use_is_no_failure(folder: SweepFolder) -> None:
    message = "error: Run 'a' is in use by process 1 on host. Wait until it ends\n"
    launcher = ScriptedLauncher(folder.path, a=[(None, 2, message), (complete, 0, "")])
    supervisor, _ = supervise(folder, launcher)
    assert statuses(supervisor) == {"a": "completed"}


def test_nothing_is_started_once_the_budget_is_spent(folder: SweepFolder) -> None:
    launcher = ScriptedLauncher(
        folder.path, a=[(overspend, 2, "")], b=[(complete, 0, "")], c=[(complete, 0, "")]
    )
    supervisor, watching = supervise(folder, launcher)
    assert launcher.started == ["a"]
    assert supervisor.is_budget_spent
    assert statuses(supervisor) == {"a": "out of budget", "b": "waiting", "c": "waiting"}
    assert watching.said[-1] == (
        "a",
        "out of budget",
        "SharedBudgetExceededError: All runs together",
    )


def test_cells_that_the_budget_stopped_are_resumed_before_new_ones_and_keep_their_status(
    folder: SweepFolder,
) -> None:
    overspent = [(overspend, 2, "")]
    launcher = ScriptedLauncher(folder.path, b=overspent, c=overspent)
    supervisor, _ = supervise(folder, launcher, workers=2)
    assert statuses(supervisor) == {"b": "out of budget", "c": "out of budget"}
    again = ScriptedLauncher(folder.path, a=[(complete, 0, "")], b=overspent, c=[])
    supervisor, _ = supervise(folder, again)
    assert again.started == ["b"]
    assert statuses(supervisor) == {"a": "waiting", "b": "out of budget", "c": "out of budget"}


def test_a_run_that_has_spent_its_own_budget_has_not_failed_and_the_others_go_on(
    folder: SweepFolder,
) -> None:
    def spend_all(run: Run) -> None:
        run.finish("failed", "BudgetExceededError: The run has spent $1")

    launcher = ScriptedLauncher(folder.path, a=[(spend_all, 2, "")], b=[(complete, 0, "")])
    supervisor, _ = supervise(folder, launcher)
    assert not supervisor.is_budget_spent
    assert statuses(supervisor) == {"a": "out of budget", "b": "completed"}


def test_a_stop_is_sent_once_to_each_cell_and_nothing_is_started(folder: SweepFolder) -> None:
    scripts = {name: [(nothing, 75, "")] for name in "abc"}
    launcher = ScriptedLauncher(folder.path, **scripts)
    watching = Watching()
    supervisor = Supervisor(folder, launcher, ["run"], 2, watching)

    def stop_after_start(cells: Sequence[CellProgress]) -> None:
        if len(launcher.started) == 2:
            supervisor.request_stop()

    watching.update = stop_after_start  # type: ignore[method-assign]
    supervisor.run(cells_of(folder, "a", "b", "c"))
    assert launcher.started == ["a", "b"]
    assert [job.num_stops for job in launcher.jobs] == [1, 1]
    assert statuses(supervisor) == {"a": "stopped", "b": "stopped", "c": "waiting"}


def test_two_processes_cannot_have_one_sweep(folder: SweepFolder) -> None:
    with pytest.raises(Exception, match=f"in use by process {os.getpid()}"):
        SweepFolder(folder.path).open()
