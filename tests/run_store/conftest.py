"""Settings whose runs are in a temporary folder."""

import pytest

from nip.experiment_settings import ExperimentSettings


@pytest.fixture
def runs_dir(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def settings(runs_dir):
    return ExperimentSettings(runs_dir=runs_dir)
