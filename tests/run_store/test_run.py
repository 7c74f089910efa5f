"""The life of a run: begin, go on, refuse, finish."""

import json
import math
import os
import subprocess
import sys

import pytest
import yaml

from nip.errors import NipWarning, ParameterError, ResumeError
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.run_store import Run

PARAMETERS = {"seed": 1, "rl": {"lr": 1e-4, "gamma": 0.9}, "agents": {"_default": {"width": 16}}}


@pytest.fixture
def runs_dir(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def settings(runs_dir):
    return ExperimentSettings(runs_dir=runs_dir)


def begin(settings, run_id="r", parameters=PARAMETERS, resume="auto"):
    return Run.open(settings, run_id, parameters, resume)


def everything_in(folder):
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


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
        with pytest.warns(NipWarning, match=r"settings.num_threads=3 after 1: .* rounded"):
            run.start()
        starts = json.loads((run.folder / "environment.json").read_text())["starts"]
        assert [start["settings"]["num_threads"] for start in starts] == [1, 3]
        assert yaml.safe_load((run.folder / "settings.yaml").read_text())["num_threads"] == 3


def test_never_refuses_an_existing_run_and_changes_nothing(settings, runs_dir):
    begin(settings).close()
    before = everything_in(runs_dir)
    with pytest.raises(ResumeError, match=r"'r' exists already.*resume=never.*another run_id"):
        begin(settings, resume="never")
    assert everything_in(runs_dir) == before
    begin(settings, "other", resume="never").close()


def test_must_refuses_a_missing_run_and_names_those_there_are(settings, runs_dir):
    with pytest.raises(ResumeError, match=r"no run 'r' to resume.*There are no runs in"):
        begin(settings, resume="must")
    assert not runs_dir.exists()
    begin(settings, "first_run").close()
    begin(settings, "second_run").close()
    with pytest.raises(ResumeError, match=r"Did you mean 'first_run'\?.*first_run, second_run"):
        begin(settings, "frist_run", resume="must")
    begin(settings, "first_run", resume="must").close()


def test_changed_parameters_are_refused_by_dotted_name_with_both_values(settings, runs_dir):
    begin(settings).close()
    before = everything_in(runs_dir)
    changed = {"seed": 1, "rl": {"lr": 0.01, "gamma": 0.9}, "agents": {"_default": {"width": 8}}}
    with pytest.raises(ResumeError) as caught:
        begin(settings, parameters=changed)
    message = str(caught.value)
    assert "rl.lr: 0.0001 → 0.01" in message
    assert "agents._default.width: 16 → 8" in message
    assert "seed" not in message
    assert "gamma" not in message
    assert "another run_id" in message
    assert everything_in(runs_dir) == before


def tree_with_callbacks(*callbacks):
    return {**PARAMETERS, "callbacks": [{"name": name, **options} for name, options in callbacks]}


def test_observers_may_come_and_go_but_what_steps_in_may_not(settings):
    stopping = ("early_stopping", {"patience": 2})
    with begin(settings, parameters=tree_with_callbacks(stopping, ("csv", {}))) as run:
        path = run.folder / "hyper_params.yaml"
        first = path.read_bytes()
    for others in ([], [("tensorboard", {}), ("rollout_samples", {"every": 2})]):
        begin(settings, parameters=tree_with_callbacks(*others, stopping)).close()
    assert path.read_bytes() == first
    for changed in (
        [("early_stopping", {"patience": 3})],
        [],
        [stopping, ("best_checkpoint", {})],
        [stopping, ("unknown", {})],
    ):
        with pytest.raises(ResumeError, match="callbacks"):
            begin(settings, parameters=tree_with_callbacks(*changed))


def rewrite_version(folder, version):
    path = folder / "hyper_params.yaml"
    stored = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**stored, "_package_version": version}))
    return stored


def test_another_version_of_the_package_is_no_change(settings):
    tree = HyperParameters("toy", "reinforce", "witness").to_dict()
    with begin(settings, parameters=tree) as run:
        folder = run.folder
    rewrite_version(folder, "0.0.1")
    begin(settings, parameters=tree, resume="must").close()


def test_a_parameter_that_the_older_version_lacked_counts_as_its_default(settings):
    tree = HyperParameters("toy", "reinforce", "witness").to_dict()
    without = {name: value for name, value in tree.items() if name != "message_size"}
    with begin(settings, parameters=without) as run:
        folder = run.folder
    with pytest.raises(ResumeError, match="message_size"):
        begin(settings, parameters=tree)
    rewrite_version(folder, "0.0.1")
    begin(settings, parameters=tree).close()
    with pytest.raises(ResumeError, match="message_size: 1 → 2"):
        begin(settings, parameters={**tree, "message_size": 2})


def test_stored_parameters_that_cannot_be_read_are_an_error_that_names_the_file(settings):
    with begin(settings) as run:
        path = run.folder / "hyper_params.yaml"
    path.write_text("[1, 2")
    with pytest.raises(ResumeError, match=r"hyper_params\.yaml"):
        begin(settings)


@pytest.mark.parametrize(
    "run_id", ["", ".", "..", ".hidden", "a/b", "../a", "a\\b", "a b", "-a", "a\n", "é", "x" * 101]
)
def test_unsafe_names_are_refused(settings, runs_dir, run_id):
    with pytest.raises(ParameterError, match="run_id must"):
        begin(settings, run_id)
    assert not runs_dir.exists()


def test_a_refused_name_comes_with_one_that_would_do(settings):
    with pytest.raises(ParameterError, match=r"got 'my run/2'. For example: my_run_2$"):
        begin(settings, "my run/2")


def test_a_folder_that_is_no_run_is_left_alone_but_an_empty_one_is_used(settings, runs_dir):
    (runs_dir / "r").mkdir(parents=True)
    (runs_dir / "r" / "thesis.tex").write_text("precious")
    with pytest.raises(ResumeError, match="holds no run"):
        begin(settings)
    assert (runs_dir / "r" / "thesis.tex").read_text() == "precious"
    (runs_dir / "empty").mkdir()
    begin(settings, "empty").close()


def test_a_folder_that_cannot_be_made_is_the_users_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ParameterError, match=r"settings\.runs_dir='.*file/runs'"):
        begin(ExperimentSettings(runs_dir=tmp_path / "file" / "runs"))


def test_a_failure_while_a_run_is_made_leaves_no_folder(settings, runs_dir, monkeypatch):
    def fail(*_arguments):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr("nip.run_store.opening.append_start", fail)
        with pytest.raises(OSError, match="disk full"):
            begin(settings)
    assert not (runs_dir / "r").exists()
    with begin(settings) as run:
        assert run.is_new
    assert sorted(os.listdir(runs_dir)) == [".lock", "r"]


def test_a_second_user_of_an_open_run_is_refused(settings):
    with begin(settings):
        with pytest.raises(ResumeError, match=rf"'r' is in use by process {os.getpid()} on .*"):
            begin(settings)
        begin(settings, "other").close()
    begin(settings).close()


RACE = """
import sys, time
from nip.errors import ResumeError
from nip.experiment_settings import ExperimentSettings
from nip.run_store import Run
settings = ExperimentSettings(runs_dir=sys.argv[1])
sys.stdin.readline()
try:
    run = Run.open(settings, "r", {"seed": 1})
except ResumeError as error:
    print("refused:", error, flush=True)
else:
    print("opened", flush=True)
    sys.stdin.readline()
"""


def test_of_processes_that_begin_the_same_run_at_once_one_wins(runs_dir):
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(runs_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    try:
        for racer in racers:
            racer.stdin.write("go\n")
            racer.stdin.flush()
        answers = sorted(racer.stdout.readline() for racer in racers)
        assert answers[0] == "opened\n"
        assert all("'r' is in use by process" in answer for answer in answers[1:])
    finally:
        for racer in racers:
            racer.communicate("end\n", timeout=60)


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
    with begin(settings) as run:
        run.log(1, {"mean_accuracy": 0.5})
        run.finish("completed")
        assert (run.folder / "learning_curve.png").read_bytes().startswith(b"\x89PNG")


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


def test_leftovers_of_killed_writers_go_when_the_run_is_opened(settings):
    with begin(settings) as run:
        leftover = run.folder / ".result.json.12-34.tmp"
    leftover.write_text("half")
    begin(settings).close()
    assert not leftover.exists()


def test_importing_the_run_store_and_opening_a_run_needs_no_torch(runs_dir):
    script = """
import sys
from nip.experiment_settings import ExperimentSettings
from nip.run_store import Run
with Run.open(ExperimentSettings(runs_dir=sys.argv[1]), "r", {"seed": 1}) as run:
    run.log(1, {"loss": 1.0})
assert not {"torch", "matplotlib"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script, str(runs_dir)], check=True)
