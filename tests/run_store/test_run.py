"""A run from its creation to its end."""

import json
import math
import subprocess
import sys

import pytest
import yaml

from nip.errors import NipWarning, ResumeError
from nip.experiment_settings import ExperimentSettings
from tests.pictures import PNG_SIGNATURE, real_pictures
from tests.run_store.open_runs import PARAMETERS, begin, everything_in


def test_a_new_run_has_a_folder_with_parameters_settings_and_environment(settings, runs_dir):
    with begin(settings) as run:
        assert (run.run_id, run.folder, run.is_new) == ("r", runs_dir / "r", True)
        assert run.status == "running"
        assert run.history.names() == []
        assert run.load_latest_checkpoint() is None
        stored = yaml.safe_load((run.folder / "hyper_params.yaml").read_text())
        assert {name: stored[name] for name in PARAMETERS} == PARAMETERS
        assert stored["_package_name"] == "nip"
        assert yaml.safe_load((run.folder / "settings.yaml").read_text()) == settings.to_dict()
        assert len(json.loads((run.folder / "environment.json").read_text())["starts"]) == 1


def test_opening_again_goes_on_with_the_metrics_and_notes_the_start(settings):
    with begin(settings) as run:
        run.log(1, {"loss": 1.0})
    with begin(ExperimentSettings(runs_dir=settings.runs_dir, num_threads=3)) as run:
        assert not run.is_new
        assert run.history.values("loss") == [(1, 1.0)]
        with pytest.warns(NipWarning, match=r"settings.num_threads=3 instead of 1: .* rounded"):
            run.start()
        starts = json.loads((run.folder / "environment.json").read_text())["starts"]
        assert [start["settings"]["num_threads"] for start in starts] == [1, 3]
        assert yaml.safe_load((run.folder / "settings.yaml").read_text())["num_threads"] == 3


def test_a_run_of_a_version_without_kernels_warns_of_them(settings):
    with begin(settings) as run:
        path = run.folder / "settings.yaml"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "native_kernels" not in line))
    pattern = r"settings.native_kernels='auto' instead of 'off': .* rounded"
    with begin(settings) as run, pytest.warns(NipWarning, match=pattern):
        run.start()


@pytest.mark.parametrize("content", [b"a: [1\nb: 2", b"- 1", b"\xff"])
def test_damaged_settings_are_named_and_do_not_stop_a_run_from_going_on(settings, content):
    with begin(settings) as run:
        path = run.folder / "settings.yaml"
    path.write_bytes(content)
    with begin(settings) as run, pytest.warns(NipWarning, match=rf"former settings: {path} .*"):
        run.start()
    assert yaml.safe_load(path.read_text()) == settings.to_dict()


def test_result_holds_the_last_value_of_each_metric(settings):
    with begin(settings) as run:
        run.log(1, {"loss": 2.0, "test_loss": 1.5})
        run.log(2, {"loss": 0.1, "ratio": math.nan, "bound": math.inf})
        run.finish("completed")
        result = json.loads((run.folder / "result.json").read_text())
    assert result == {
        "run_id": "r",
        "status": "completed",
        "metrics": {"bound": None, "loss": 0.1, "ratio": None, "test_loss": 1.5},
    }


def test_result_says_why_training_was_stopped_early(settings):
    with begin(settings) as run:
        run.set_state("stop_reason", "test_mean_accuracy has not improved 2 times in a row")
        run.finish("completed")
        result = json.loads((run.folder / "result.json").read_text())
    assert result["stopped"] == "test_mean_accuracy has not improved 2 times in a row"


def test_a_completed_run_stays_completed_when_it_is_opened_again(settings):
    with begin(settings) as run:
        run.finish("completed")
    with begin(settings) as run:
        assert run.status == "completed"
        assert (run.folder / "result.json").exists()


def test_a_failed_run_says_why_and_runs_again_when_it_is_opened(settings):
    with begin(settings) as run:
        run.log(1, {"loss": 1.0})
        run.finish("failed", ValueError("loss is NaN"))
        result = json.loads((run.folder / "result.json").read_text())
    assert (result["status"], result["error"]) == ("failed", "ValueError: loss is NaN")
    with begin(settings) as run:
        assert run.status == "failed"
        run.start()
        assert run.status == "running"
        assert not (run.folder / "result.json").exists()
        assert run.history.latest("loss") == 1.0


def test_a_run_that_is_opened_but_not_started_stays_as_it_was(settings, runs_dir):
    with begin(settings) as run:
        run.finish("failed", ValueError("loss is NaN"))
    before = everything_in(runs_dir / "r")
    begin(ExperimentSettings(runs_dir=settings.runs_dir, num_threads=3)).close()
    assert everything_in(runs_dir / "r") == before


def test_a_run_does_not_go_on_with_other_data_of_the_same_name(settings):
    with begin(settings) as run:
        run.start({"train dataset": "abc"})
    with begin(settings) as run:
        run.start({"train dataset": "abc"})
        with pytest.raises(ResumeError, match=r"train dataset of run 'r' has changed"):
            run.start({"train dataset": "abd"})


def test_finish_draws_the_learning_curve(settings):
    with begin(settings) as run, real_pictures():
        run.log(1, {"mean_accuracy": 0.5})
        run.finish("completed")
        picture = (run.folder / "learning_curve.png").read_bytes()
        assert picture.startswith(PNG_SIGNATURE) and picture != PNG_SIGNATURE


def test_a_picture_that_cannot_be_drawn_does_not_spoil_the_run(settings, monkeypatch):
    def fail(*_arguments):
        raise RuntimeError("no fonts")

    monkeypatch.setattr("nip.run_store.report.learning_curve.draw_learning_curve", fail)
    with begin(settings) as run:
        run.log(1, {"mean_accuracy": 0.5})
        with pytest.warns(NipWarning, match="no fonts"):
            run.finish("completed")
        assert run.status == "completed"


def test_truncate_with_minus_one_drops_all_metrics(settings):
    with begin(settings) as run:
        run.log(0, {"loss": 1.0})
        run.log(1, {"loss": 0.5})
        run.truncate(-1)
        assert run.history.names() == []
    with begin(settings) as run:
        assert run.history.names() == []


def test_importing_the_run_store_and_opening_a_run_needs_no_torch(runs_dir):
    script = """
import sys
from nip.experiment_settings import ExperimentSettings
from nip.run_store.database.origin import read_identity
from nip.run_store.database.origin import read_identity
from nip.run_store.database.origin import read_identity
from nip.run_store import Run
from tests.run_store.open_runs import PARAMETERS, begin, everything_in
with Run.open(ExperimentSettings(runs_dir=sys.argv[1]), "r", {"seed": 1}) as run:
    run.log(1, {"loss": 1.0})
assert not {"torch", "matplotlib"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script, str(runs_dir)], check=True)
