"""A disk that becomes full at any point of a run: one message, a true status, nothing lost."""

import pytest

from nip.errors import StorageError
from nip.experiment_settings import ExperimentSettings
from nip.run import run_experiment
from nip.run_store import open_database
from tests.experiments import make_params
from tests.small_disks import small_disk
from tests.text_experiments import make_text_params

# Sizes, in KiB, at which a run fails in different places: when its folder is made, in the first
# transactions, in a later one, in the file of the mock API, and in each checkpoint.
SIZES = {"networks": (8, 40, 120, 155, 185, 230, 300), "text": (120, 185, 215, 400, 700)}
EXPERIMENTS = {
    "networks": lambda: make_params(rl={"num_iterations": 3}),
    "text": make_text_params,
}


def settings_in(folder):
    return ExperimentSettings(runs_dir=folder, progress=False, checkpoint_period=1)


def status(folder):
    with open_database(folder) as database:
        return database.get_state("status", "running")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    return {
        kind: run_experiment(make(), run_id=kind, settings=settings_in(folder)).metrics
        for kind, make in EXPERIMENTS.items()
    }


# If the disk was full at the first checkpoint, it is said that the run starts again.
@pytest.mark.filterwarnings("ignore:Run 'r' saved, or began to save, a checkpoint")
@pytest.mark.parametrize(("kind", "size"), [(k, size) for k in SIZES for size in SIZES[k]])
def test_a_run_on_a_full_disk_can_be_resumed_with_the_same_numbers(
    tmp_path, undisturbed, kind, size
):
    with small_disk(tmp_path / "disk", size) as (disk, resize):
        settings, params = settings_in(disk), EXPERIMENTS[kind]()
        with pytest.raises(
            StorageError, match=r"cannot be accessed: .* then start again"
        ) as caught:
            run_experiment(params, run_id="r", settings=settings)
        assert not hasattr(caught.value, "__notes__")
        folder = disk / "r"
        if folder.exists():
            assert status(folder) in ("running", "failed")
            assert status(folder) == "running" or (folder / "result.json").exists()
        resize(50_000)
        assert run_experiment(params, run_id="r", settings=settings).metrics == undisturbed[kind]
        assert status(folder) == "completed"
