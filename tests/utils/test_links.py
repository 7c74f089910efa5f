"""Links in a run folder that lead out of it."""

import pytest

from nip.errors import ResumeError
from nip.experiment_settings import ExperimentSettings
from nip.run_store.database.analysis_store import AnalysisStore
from nip.utils.links import refuse_links_outside
from tests.run_store.open_runs import begin, everything_in


@pytest.fixture
def runs_dir(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def settings(runs_dir):
    return ExperimentSettings(runs_dir=runs_dir)


@pytest.mark.parametrize("name", ["run.db", "checkpoints", "metrics.csv", "wandb/a/b"])
def test_a_run_with_a_link_out_of_its_folder_is_not_resumed(settings, runs_dir, tmp_path, name):
    begin(settings, "mine").close()
    begin(settings, "theirs").close()
    link = runs_dir / "theirs" / name
    own = tmp_path / "own"
    if link.exists():
        link.rename(own)
    link.parent.mkdir(parents=True, exist_ok=True)
    # Neither a link to a file, nor to a folder, nor one that leads nowhere yet.
    for target in (runs_dir / "mine" / "run.db", runs_dir / "mine", tmp_path / "not_yet"):
        link.symlink_to(target)
        before = everything_in(runs_dir / "mine")
        with pytest.raises(ResumeError, match=f"{link.name} is a link to .*outside of the folder"):
            begin(settings, "theirs")
        assert everything_in(runs_dir / "mine") == before
        assert not (tmp_path / "not_yet").exists()
        link.unlink()
    if own.exists():
        own.rename(link)
    begin(settings, "theirs").close()


def test_analyses_are_not_written_through_a_link(tmp_path):
    folder, elsewhere = tmp_path / "theirs", tmp_path / "empty"
    folder.mkdir()
    elsewhere.touch()
    (folder / "analyses.db").symlink_to(elsewhere)
    with pytest.raises(ResumeError, match=r"analyses\.db is a link"):
        AnalysisStore(folder)
    assert elsewhere.read_bytes() == b""


def test_links_within_the_folder_and_to_the_folder_are_permitted(settings, runs_dir, tmp_path):
    begin(settings, "r").close()
    (runs_dir / "r").rename(tmp_path / "on_a_large_disk")
    (runs_dir / "r").symlink_to(tmp_path / "on_a_large_disk")
    (runs_dir / "r" / "latest").symlink_to("run.db")
    (runs_dir / "r" / "loop").symlink_to("loop")
    refuse_links_outside(runs_dir / "r")
    begin(settings, "r", resume="must").close()
