"""A finished run of another user, in a folder that cannot be written."""

import pytest

from nip.commands import plot, transcripts
from nip.experiment.base_run import apply_base_run
from nip.experiment_settings import ExperimentSettings
from nip.rollout_analysis.running import plan_analyses
from tests.other_users import as_other_user, open_to_others, read_only
from tests.text_experiments import make_text_params, run_text_experiment


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared") / "runs"
    run_text_experiment(folder, "theirs")
    return folder


def test_scripts_that_only_read_and_base_runs_need_no_writing(runs_dir, tmp_path):
    open_to_others(tmp_path)
    tmp_path.chmod(0o777)

    def read():
        shown = transcripts.main(["theirs", "--runs-dir", str(runs_dir), "--limit", "1"])
        figure = str(tmp_path / "figure.png")
        plotted = plot.main(["theirs", "--runs-dir", str(runs_dir), "--output", figure])
        settings = ExperimentSettings(runs_dir=runs_dir)
        planned = plan_analyses("theirs", ["verifier_follows_format"], settings=settings)
        kinds = {"base_run": {"base_run_type": "rerun_tests", "run_id": "theirs"}}
        merged = apply_base_run(make_text_params(**kinds), settings)
        return [shown, plotted, planned.num_stored, merged.dataset]

    with read_only(runs_dir):
        before = sorted(path.name for path in runs_dir.rglob("*"))
        assert as_other_user(read) == [0, 0, 0, "test"]
        assert sorted(path.name for path in runs_dir.rglob("*")) == before


def test_a_figure_that_cannot_be_written_is_an_error_without_a_traceback(runs_dir, capfd):
    def write_plot():
        with pytest.raises(SystemExit) as caught:
            raise SystemExit(plot.main(["theirs", "--runs-dir", str(runs_dir)]))
        return caught.value.code

    with read_only(runs_dir):
        assert as_other_user(write_plot) == 2
    error = capfd.readouterr().err
    assert "learning_curves.png cannot be accessed: Permission denied" in error
    assert "Traceback" not in error
