"""Fixtures of a finished run with stored rollouts, which several modules read."""

from collections.abc import Mapping

import pytest

from nip.experiment_settings import ExperimentSettings
from nip.factory import build_scenario_instance
from nip.run_store import Run
from nip.trainers.text.stored_rollouts import StoredRollouts
from nip.utils.nested_array_dict import concatenate
from tests.text_experiments import make_text_params, run_text_experiment, text_settings

CHANGES: Mapping = {
    "rl": {"num_iterations": 2, "rollouts_per_iteration": 20},
    "text_rl": {"test_scheme": "all", "save_transcripts": False},
}


@pytest.fixture(scope="package")
def runs_dir(tmp_path_factory):
    """Return a folder with a finished run of two iterations of twenty rollouts."""
    folder = tmp_path_factory.mktemp("runs")
    run_text_experiment(folder, "run", **CHANGES)
    return folder


@pytest.fixture
def params():
    return make_text_params(**CHANGES)


@pytest.fixture
def instance(params):
    return build_scenario_instance(params, ExperimentSettings(progress=False))


@pytest.fixture
def run(runs_dir, params):
    with Run.open(text_settings(runs_dir), "run", params.to_dict()) as run:
        yield run


@pytest.fixture
def stored(run, params, instance):
    return StoredRollouts(instance, params, run)


@pytest.fixture
def both(stored):
    """Return the rollouts of both iterations."""
    return concatenate([stored.load("train", iteration) for iteration in range(2)])
