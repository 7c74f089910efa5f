"""Runs after a SIGKILL at chosen points."""

import json
import os
import signal

import pytest
import torch

from nip.experiment_settings import ExperimentSettings
from nip.run_store import Checkpoint, Run, read_history
from tests.run_store.kill import run_until_killed

SAVE_ONE = "run = open_run()\nrun.save_checkpoint(checkpoint(1))\n"
SAVE_TWO = "\nrun.save_checkpoint(checkpoint(2))"
FILES = "import nip.run_store.checkpoints.checkpoint_files as files\n"
DIE_AT_CALL = """
original, count = {name}, 0
def counted(*args, **kwargs):
    global count
    count += 1
    return die() if count == {number} else original(*args, **kwargs)
{name} = counted
"""

# Where the child kills itself while it writes checkpoint 2, with checkpoint 1 complete.
IN_SAVING = {
    "before_the_first_file": FILES + "files.save_file = die",
    "between_two_files": FILES + DIE_AT_CALL.format(name="files.save_file", number=2),
    "in_the_middle_of_a_file": FILES
    + 'files.save_file = lambda tensors, path: (path.write_bytes(b"half"), die())',
    "before_the_manifest": FILES + "files._fingerprint = die",
    "before_the_files_are_flushed": "os.fsync = die",
    "before_the_last_rename": "import pathlib; pathlib.Path.rename = die",
}
AFTER_SAVING = {
    "after_the_last_rename": SAVE_ONE
    + "import nip.run_store.checkpoints.checkpoint_folder as c; c.flush_to_disk = die"
    + SAVE_TWO,
}
# While a checkpoint is replaced, first the old one is renamed, then the new one.
IN_REPLACING = {
    f"replacing_{number}": SAVE_ONE
    + "import pathlib\n"
    + DIE_AT_CALL.format(name="pathlib.Path.rename", number=number)
    + "\nrun.save_checkpoint(checkpoint(1))"
    for number in (1, 2)
}
IN_PRUNING = {
    f"pruning_{number}": SAVE_ONE
    + SAVE_TWO
    + "\nrun.save_checkpoint(checkpoint(3))\n"
    + f"{function} = die"
    + "\nrun.prune_checkpoints()"
    for number, function in enumerate(("os.rename", "os.unlink", "os.rmdir"))
}
IN_CREATION = {
    "within_the_first_file": "os.replace = die; open_run()",
    "with_an_empty_hidden_folder": """
import nip.run_store.opening as o
o.store_parameters = die
open_run()
""",
    "before_the_folder_has_its_name": "import pathlib; pathlib.Path.rename = die; open_run()",
    "before_the_database": "import nip.run_store.run as r; r.RunDatabase = die; open_run()",
}
OTHERS = {
    "logged_after_saving": """
run = open_run()
for iteration in (1, 2, 3):
    run.log(iteration, {"loss": 1 / iteration})
    if iteration == 2:
        run.save_checkpoint(checkpoint(2))
die()
""",
    "while_logging": """
class Fatal(float):
    def __float__(self):
        die()
run = open_run()
run.log(1, {"a": 1.0, "b": 1.0})
run.log(2, {"a": 2.0, "b": Fatal()})
""",
    "in_finishing": """
run = open_run()
run.log(1, {"loss": 1.0})
run._draw_learning_curve = die
run.finish("completed")
""",
    "with_a_living_worker": """
import time
run = open_run()
read_end, write_end = os.pipe()
if os.fork() == 0:
    with open(os.path.join(runs_dir, "worker"), "w") as file:
        file.write(str(os.getpid()))
    os.write(write_end, b"alive")
    for descriptor in (0, 1, 2):
        os.close(descriptor)
    time.sleep(120)
    os._exit(0)
os.read(read_end, 5)
die()
""",
}


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("killed")
    saving = {name: SAVE_ONE + piece + SAVE_TWO for name, piece in IN_SAVING.items()}
    pieces = saving | AFTER_SAVING | IN_REPLACING | IN_PRUNING | IN_CREATION | OTHERS
    run_until_killed(folder, pieces)
    return folder


def reopen(runs_dir, resume="must"):
    return Run.open(ExperimentSettings(runs_dir=runs_dir), "r", {"seed": 1}, resume)


def assert_latest_is_intact(run, iteration):
    latest = run.load_latest_checkpoint()
    assert (latest.iteration, latest.state) == (iteration, {"step": iteration})
    for group in ("a", "b"):
        expected = torch.full((100,), float(iteration))
        assert torch.equal(latest.tensors[group]["weight"], expected)


def checkpoint_names(run):
    return sorted(path.name for path in (run.folder / "checkpoints").iterdir())


@pytest.mark.parametrize("moment", IN_SAVING)
def test_a_kill_while_saving_leaves_the_checkpoint_before(killed, moment):
    with reopen(killed / moment) as run:
        assert_latest_is_intact(run, 1)
        weight = torch.full((100,), 2.0)
        groups = {"a": {"weight": weight}, "b": {"weight": weight}}
        run.save_checkpoint(Checkpoint(2, groups, {"step": 2}))
        assert_latest_is_intact(run, 2)
        assert checkpoint_names(run) == ["iteration_000001", "iteration_000002"]


def test_a_kill_after_the_last_rename_leaves_the_new_checkpoint(killed):
    with reopen(killed / "after_the_last_rename") as run:
        assert_latest_is_intact(run, 2)


@pytest.mark.parametrize("moment", IN_REPLACING)
def test_a_kill_while_replacing_the_only_checkpoint_leaves_it(killed, moment):
    with reopen(killed / moment) as run:
        assert_latest_is_intact(run, 1)
        assert checkpoint_names(run) == ["iteration_000001"]


@pytest.mark.parametrize("moment", IN_PRUNING)
def test_a_kill_while_pruning_leaves_the_newest(killed, moment):
    with reopen(killed / moment) as run:
        assert_latest_is_intact(run, 3)
        run.prune_checkpoints()
        assert checkpoint_names(run) == ["iteration_000002", "iteration_000003"]


@pytest.mark.parametrize("moment", IN_CREATION)
def test_a_kill_while_a_run_is_made_is_no_obstacle(killed, moment):
    runs_dir = killed / moment
    with reopen(runs_dir, "auto") as run:
        run.start()
        run.log(1, {"loss": 1.0})
        starts = json.loads((run.folder / "environment.json").read_text())["starts"]
    assert len(starts) == (2 if moment == "before_the_database" else 1)
    assert sorted(path.name for path in runs_dir.iterdir()) == [".lock", "r"]


def test_metrics_logged_after_the_last_checkpoint_are_there_until_truncated(killed):
    logged = [(1, 1.0), (2, 0.5), (3, 1 / 3)]
    assert read_history(killed / "logged_after_saving" / "r").values("loss") == logged
    with reopen(killed / "logged_after_saving") as run:
        assert run.status == "running"
        assert run.history.values("loss") == logged
        run.truncate(run.load_latest_checkpoint().iteration)
        assert run.history.values("loss") == [(1, 1.0), (2, 0.5)]
    with reopen(killed / "logged_after_saving") as run:
        assert run.history.values("loss") == [(1, 1.0), (2, 0.5)]


def test_a_kill_while_logging_stores_none_of_the_metrics_of_that_iteration(killed):
    with reopen(killed / "while_logging") as run:
        assert run.history.values("a") == run.history.values("b") == [(1, 1.0)]


def test_a_kill_while_finishing_leaves_a_run_that_can_be_finished(killed):
    with reopen(killed / "in_finishing") as run:
        run.start()
        assert run.status == "running"
        assert not (run.folder / "result.json").exists()
        run.finish("completed")
        assert (run.folder / "result.json").exists()
        assert run.status == "completed"


def test_the_lock_of_a_killed_process_is_gone_even_if_its_forked_worker_lives(killed):
    runs_dir = killed / "with_a_living_worker"
    worker = int((runs_dir / "worker").read_text())
    try:
        os.kill(worker, 0)
        reopen(runs_dir).close()
    finally:
        os.kill(worker, signal.SIGKILL)
