"""Reading runs without opening them."""

from pathlib import Path

import pytest
import torch

from nip.errors import ParameterError, StorageError
from nip.experiment_settings import ExperimentSettings
from nip.run_store import Checkpoint, Run, open_database, read_history
from nip.run_store.checkpoints.checkpoint_folder import CheckpointFolder
from nip.run_store.reading import read_parameters, read_settings, read_state
from nip.run_store.run_id import existing_run_ids, is_run_folder
from tests.other_users import as_other_user, read_only
from tests.run_store.open_runs import make_old


def test_a_running_run_can_be_read(tmp_path):
    with Run.open(ExperimentSettings(runs_dir=tmp_path), "r", {}) as run:
        run.log(1, {"loss": 1.0})
        assert read_history(run.folder).values("loss") == [(1, 1.0)]
        run.log(2, {"loss": 0.5})
    assert read_history(run.folder).values("loss") == [(1, 1.0), (2, 0.5)]


def test_a_run_of_an_earlier_version_that_was_killed_at_birth_has_an_empty_history(tmp_path):
    with Run.open(ExperimentSettings(runs_dir=tmp_path), "r", {}) as run:
        pass
    make_old(run.folder)
    (run.folder / "run.db").unlink()
    assert read_history(run.folder).names() == []
    with pytest.raises(ParameterError, match="was never started"):
        read_state(run.folder, "stage")


@pytest.mark.parametrize("kind", [str, Path])
def test_a_folder_is_a_path_or_a_string(tmp_path, kind):
    parameters = {"seed": 1, "scenario": "toy"}
    with Run.open(ExperimentSettings(runs_dir=tmp_path), "r", parameters) as run:
        run.log(1, {"loss": 1.0})
        run.set_state("stage", 3)
    folder = kind(run.folder)
    assert read_history(folder).values("loss") == [(1, 1.0)]
    assert read_parameters(folder)["seed"] == 1
    assert read_settings(folder)["device"] == "cpu"
    assert read_state(folder, "stage") == 3
    with open_database(folder) as database:
        assert database.load_history().names() == ["loss"]
    assert is_run_folder(folder)
    assert existing_run_ids(kind(tmp_path)) == ["r"]
    with pytest.raises(ParameterError, match="no run in"):
        read_history(kind(tmp_path / "s"))


def test_a_missing_run_is_an_error_that_suggests_one(tmp_path):
    Run.open(ExperimentSettings(runs_dir=tmp_path), "demo", {}).close()
    with pytest.raises(ParameterError, match=r"no run in .*dmeo.*Did you mean 'demo'\?"):
        read_history(tmp_path / "dmeo")


@pytest.mark.parametrize("is_finished", [True, False], ids=["finished", "interrupted"])
def test_another_user_reads_everything_of_a_run_in_a_read_only_folder(tmp_path, is_finished):
    with Run.open(ExperimentSettings(runs_dir=tmp_path), "r", {"seed": 4}) as run:
        run.log(1, {"loss": 1.0})
        run.set_state("stage", 3)
        weights = {"a": {"w": torch.tensor([0.25, 0.5])}}
        run.save_checkpoint(Checkpoint(1, weights, {}))
        run.mark_best(1, "loss", 1.0)
        if is_finished:
            run.finish("completed")

    def read():
        checkpoint = CheckpointFolder(run.folder / "checkpoints").load("best")
        return [
            read_history(run.folder).to_dict(),
            read_parameters(run.folder)["seed"],
            read_settings(run.folder)["device"],
            read_state(run.folder, "stage"),
            checkpoint.tensors["a"]["w"].tolist(),
        ]

    with read_only(tmp_path):
        assert as_other_user(read) == [{"loss": [[1, 1.0]]}, 4, "cpu", 3, [0.25, 0.5]]


def test_a_run_without_settings_has_none(tmp_path):
    with Run.open(ExperimentSettings(runs_dir=tmp_path), "r", {}) as run:
        (run.folder / "settings.yaml").unlink()
        assert read_settings(run.folder) == {}
        (run.folder / "settings.yaml").symlink_to("settings.yaml")
        with pytest.raises(StorageError, match=r"settings\.yaml cannot be read"):
            read_settings(run.folder)


@pytest.mark.parametrize("read", [read_parameters, read_settings])
def test_a_damaged_file_is_named(tmp_path, read):
    with Run.open(ExperimentSettings(runs_dir=tmp_path), "r", {}) as run:
        name = "hyper_params.yaml" if read is read_parameters else "settings.yaml"
        (run.folder / name).write_text("a: [1\nb: 2")
        expected = rf"r/{name} is not valid YAML: .* \(line 2, column 2\)\. Restore it from a copy"
        with pytest.raises(ParameterError, match=expected):
            read(run.folder)
