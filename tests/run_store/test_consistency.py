"""Files of a run that do not belong together."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import torch

from nip.errors import CheckpointError, NipWarning, ParameterError, ResumeError
from nip.run_store import Checkpoint, open_database, read_history
from nip.run_store.reading import read_parameters
from nip.utils.files import write_atomically
from tests.run_store.open_runs import PARAMETERS, begin, everything_in, make_old


def checkpoint(iteration):
    return Checkpoint(iteration, {"a": {"w": torch.full((9,), float(iteration))}}, {"n": iteration})


def trained(settings, run_id, num_iterations=2, parameters=PARAMETERS):
    """Train a run, which keeps all of its checkpoints and is completed."""
    with begin(settings, run_id, parameters) as run:
        run.start()
        for iteration in range(1, num_iterations + 1):
            run.log(iteration, {"loss": 1 / iteration})
            run.save_checkpoint(checkpoint(iteration))
        run.mark_best(num_iterations, "loss", 0.5)
        run.finish("completed")
    return run.folder


@pytest.fixture
def run(settings):
    return trained(settings, "r")


@pytest.fixture
def other(settings):
    return trained(settings, "other")


def refused(settings, match, error=ResumeError):
    before = everything_in(Path(settings.runs_dir))
    with pytest.raises(error, match=match):
        begin(settings, "r", resume="must")
    assert everything_in(Path(settings.runs_dir)) == before


def replace(target, source):
    if source.is_dir():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
    else:
        shutil.copy2(source, target)


def test_an_undisturbed_run_and_a_copy_of_its_folder_are_resumed(settings, run):
    begin(settings, resume="must").close()
    shutil.copytree(run, run.with_name("copy"))
    begin(settings, "copy", resume="must").close()


def test_a_missing_database_is_refused(settings, run):
    (run / "run.db").unlink()
    refused(settings, r"run\.db is missing, although the run was started\. Restore it")
    with pytest.raises(ParameterError, match=r"run\.db is missing"):
        read_history(run)


def test_a_missing_database_of_a_run_that_has_not_written_anything_else_is_refused(settings):
    with begin(settings) as run:
        run.rollouts.add("train", 1, 0, {"paid": 3.0})
    (run.folder / "run.db").unlink()
    refused(settings, r"run\.db is missing")


@pytest.mark.parametrize("content", [b"", None], ids=["empty", "without_tables"])
def test_an_empty_database_is_refused(settings, run, content):
    (run / "run.db").unlink()
    if content is None:
        with closing(sqlite3.connect(run / "run.db")) as connection:
            connection.execute("CREATE TABLE something_else (x)")
    else:
        (run / "run.db").write_bytes(content)
    refused(settings, r"run\.db is empty")


def test_a_missing_database_of_an_older_run_with_results_is_refused(settings, run):
    make_old(run)
    (run / "run.db").unlink()
    refused(settings, r"run\.db is missing")


def test_the_database_of_another_run_is_refused(settings, run, other):
    replace(run / "run.db", other / "run.db")
    refused(settings, r"run\.db is of another run")
    with (
        pytest.raises(ParameterError, match=r"run\.db is of another run"),
        open_database(run),
    ):
        pass


def test_a_database_that_is_older_than_the_checkpoints_is_refused(settings):
    folder = trained(settings, "r", 1)
    old = (folder / "run.db").read_bytes()
    trained(settings, "r", 3)
    (folder / "run.db").write_bytes(old)
    refused(settings, r"run\.db is older than its checkpoint of iteration 3: .* iteration 1")


def test_a_damaged_page_of_the_database_is_refused(settings):
    with begin(settings) as run:
        run.log(1, {f"metric {number}": 0.1 for number in range(3000)})
    path = run.folder / "run.db"
    content = bytearray(path.read_bytes())
    middle = len(content) // 4096 // 2 * 4096
    content[middle : middle + 100] = bytes(100)
    path.write_bytes(content)
    with pytest.raises(ResumeError, match=r"run\.db is damaged: .* Restore it from a copy"):
        begin(settings, resume="must")
    with pytest.raises(ResumeError, match=r"run\.db is damaged: .* Restore it from a copy"):
        read_history(run.folder)


def test_parameters_that_were_edited_are_refused_although_the_user_gives_the_same(settings, run):
    path = run / "hyper_params.yaml"
    text = path.read_text()
    path.write_text(text.replace("gamma: 0.9", "gamma: 0.8"))
    with pytest.raises(
        ResumeError, match=r"run\.db is of a run with other parameters than those in"
    ):
        begin(settings, parameters={**PARAMETERS, "rl": {"lr": 1e-4, "gamma": 0.8}})
    with pytest.raises(ParameterError, match="of a run with other parameters"):
        read_parameters(run)
    path.write_text(f"# the first run\n{text}\n")
    begin(settings, resume="must").close()


def test_a_checkpoint_of_another_run_is_refused(settings, run, other):
    name = "checkpoints/iteration_000003"
    trained(settings, "other", 3)
    replace(run / name, other / name)
    refused(settings, "iteration_000003 is of another run. Move it away")
    with pytest.raises(CheckpointError, match=r"_000003 is of another run\. Choose another"):
        _folder_of(run).find("latest")
    assert _folder_of(run).find(2).name == "iteration_000002"


def _folder_of(run):
    from nip.run_store.checkpoints.checkpoint_folder import CheckpointFolder

    return CheckpointFolder(run / "checkpoints")


def test_a_checkpoint_of_an_older_version_is_of_another_run(settings, run, other):
    make_old(other)
    replace(run / "checkpoints/iteration_000002", other / "checkpoints/iteration_000002")
    refused(settings, "iteration_000002 is of another run")


def test_a_checkpoint_with_the_name_of_another_iteration_is_refused(settings, run):
    folder = run / "checkpoints"
    (folder / "iteration_000002").rename(folder / "iteration_000007")
    refused(settings, "iteration_000007 holds the state after iteration 2")
    with pytest.raises(CheckpointError, match="holds the state after iteration 2"):
        _folder_of(run).find("latest")


def test_weights_and_state_of_different_iterations_are_damage(settings, run):
    folder = run / "checkpoints"
    replace(folder / "iteration_000002/state.json", folder / "iteration_000001/state.json")
    with begin(settings, resume="must") as resumed:
        with pytest.warns(NipWarning, match=r"state\.json should have .* earlier checkpoint"):
            loaded = resumed.load_latest_checkpoint()
        assert (loaded.iteration, loaded.state) == (1, {"n": 1})


def test_a_result_of_another_run_and_a_broken_best_checkpoint_are_refused(settings, run, other):
    trained(settings, "other", 3)
    own = (run / "result.json").read_text()
    replace(run / "result.json", other / "result.json")
    refused(settings, r"result\.json has other metrics than run\.db\. Move away the one")
    (run / "result.json").write_text(own)
    (run / "checkpoints/best.json").write_text("{")
    refused(settings, r"best\.json cannot be read", CheckpointError)


def test_an_older_run_is_resumed_from_its_checkpoints(settings, run):
    make_old(run)
    (run / "checkpoints/best.json").unlink()
    (run / "result.json").unlink()
    with begin(settings, resume="must") as resumed:
        assert resumed.load_latest_checkpoint().iteration == 2
        resumed.start()
        resumed.save_checkpoint(checkpoint(3))
        resumed.mark_best(3, "loss", 0.1)
        resumed.finish("completed")
    with begin(settings, resume="must") as resumed:
        assert resumed.load_latest_checkpoint().iteration == 3
    manifest = json.loads((run / "checkpoints/iteration_000003/manifest.json").read_text())
    assert manifest["run_identity"] == ""
    assert len(manifest["parameters_sha256"]) == 64


def test_a_power_failure_while_a_run_ends_leaves_no_result_that_is_newer_than_the_database(
    settings, monkeypatch
):
    contents = {}

    def note_content(path, content):
        # SQLite merges into this file what has been flushed, and a power failure takes the rest.
        contents[path.name] = (path.parent / "run.db").read_bytes()
        write_atomically(path, content)

    with begin(settings) as run:
        run.start()
        run.log(1, {"loss": 0.5})
        monkeypatch.setattr("nip.run_store.run.write_atomically", note_content)
        run.finish("completed")
    (run.folder / "run.db").write_bytes(contents["result.json"])
    with begin(settings, resume="must") as resumed:
        assert resumed.history.values("loss") == [(1, 0.5)]


def test_a_run_without_its_checkpoints_says_that_it_starts_again(settings, run):
    shutil.rmtree(run / "checkpoints")
    with (
        begin(settings, resume="must") as resumed,
        pytest.warns(NipWarning, match="after iteration 2, but has none in .* starts again"),
    ):
        assert resumed.load_latest_checkpoint() is None


def test_a_file_in_place_of_the_checkpoints_is_refused_before_anything_is_trained(settings, run):
    shutil.rmtree(run / "checkpoints")
    (run / "checkpoints").write_text("not a folder")
    refused(settings, r"checkpoints is no folder, and checkpoints are stored there\. Move it away")


def test_files_that_only_describe_a_run_may_be_deleted(settings, run):
    identity = json.loads((run / "environment.json").read_text())["run_identity"]
    (run / "environment.json").unlink()
    (run / "settings.yaml").unlink()
    with begin(settings, resume="must") as resumed:
        resumed.start()
        resumed.save_checkpoint(checkpoint(3))
    assert json.loads((run / "environment.json").read_text())["run_identity"] == identity
    with begin(settings, resume="must") as resumed:
        assert resumed.load_latest_checkpoint().iteration == 3
