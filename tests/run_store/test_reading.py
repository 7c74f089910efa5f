"""Reading runs without opening them."""

from pathlib import Path

import pytest

from nip.errors import ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.run_store import Run, open_database, read_history
from nip.run_store.reading import read_parameters, read_settings, read_state
from nip.run_store.run_id import existing_run_ids, is_run_folder


def test_a_running_run_can_be_read(tmp_path):
    with Run.open(ExperimentSettings(runs_dir=tmp_path), "r", {}) as run:
        run.log(1, {"loss": 1.0})
        assert read_history(run.folder).values("loss") == [(1, 1.0)]
        run.log(2, {"loss": 0.5})
    assert read_history(run.folder).values("loss") == [(1, 1.0), (2, 0.5)]


def test_a_run_that_was_killed_at_birth_has_an_empty_history(tmp_path):
    with Run.open(ExperimentSettings(runs_dir=tmp_path), "r", {}) as run:
        pass
    (run.folder / "run.db").unlink()
    assert read_history(run.folder).names() == []


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
