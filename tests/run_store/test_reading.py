"""Reading runs without opening them."""

import pytest

from nip.errors import ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.run_store import Run, read_history


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


def test_a_missing_run_is_an_error_that_suggests_one(tmp_path):
    Run.open(ExperimentSettings(runs_dir=tmp_path), "demo", {}).close()
    with pytest.raises(ParameterError, match=r"no run in .*dmeo.*Did you mean 'demo'\?"):
        read_history(tmp_path / "dmeo")
