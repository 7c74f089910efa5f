"""What a stop request during training of language models still completes."""

import json
from unittest.mock import patch

import pytest

from nip.errors import UnknownNameError
from nip.run import run_experiment
from nip.run_store import Run, read_history
from nip.trainers.builtin.pure_text_ei import PureTextEiTrainer
from nip.trainers.callbacks import Callback
from nip.trainers.core.components import TrainerComponents
from nip.trainers.registry import build_trainer
from tests.experiments import make_instance
from tests.text_experiments import make_text_params, text_settings


@pytest.fixture(autouse=True)
def no_pictures():
    """Skip drawing learning curves, which other tests check."""
    with patch("nip.run_store.report.learning_curve.draw_learning_curve"):
        yield


class Stopping(Callback):
    """Stops at one event of one stage, and records all events."""

    def __init__(self, event, stage=""):
        self.moment, self.told = (event, stage), []


def _take(event):
    def take(self, context):
        self.told.append((event, context.stage))
        if self.told[-1] == self.moment:
            context.stop("enough")

    return take


for _event in (name for name in vars(Callback) if name.startswith("on_")):
    setattr(Stopping, _event, _take(_event))


def run(runs_dir, *callbacks, **changes):
    params = make_text_params(rl={"num_iterations": 3}, **changes)
    parts = TrainerComponents(callbacks=callbacks)
    return run_experiment(params, run_id="run", settings=text_settings(runs_dir), components=parts)


@pytest.mark.parametrize(
    ("moment", "test_scheme"),
    [
        (("on_iteration_start", ""), "all"),
        (("on_stage_end", "sample_rollouts"), "last"),
        (("on_log", ""), "all"),
        (("on_log", ""), "last"),
        (("on_evaluation_start", "test_during_training"), "all"),
    ],
)
def test_who_is_stopped_before_fine_tuning_still_reports_and_tests(moment, test_scheme, tmp_path):
    stopping = Stopping(*moment)
    result = run(tmp_path, stopping, text_rl={"test_scheme": test_scheme})
    history = read_history(result.folder)
    for name in ("mean_accuracy", "test_mean_accuracy"):
        assert [iteration for iteration, _ in history.values(name)] == [1]
    assert stopping.told.count(("on_iteration_end", "")) == 1
    assert not any(event == "on_step_start" for event, _ in stopping.told)
    assert json.loads((result.folder / "result.json").read_text())["stopped"] == "enough"


@pytest.mark.parametrize("event", ["on_stage_start", "on_step_end"])
def test_who_is_stopped_while_jobs_are_made_waits_for_them(event, tmp_path):
    stopping = Stopping(event, "create_fine_tune_jobs")
    result = run(tmp_path, stopping)
    assert read_history(result.folder).last_iteration == 1
    assert ("on_stage_end", "await_fine_tune_jobs") in stopping.told
    assert stopping.told.count(("on_iteration_end", "")) == 1


def test_an_error_of_a_callback_at_the_start_is_followed_by_the_end(tmp_path):
    class Fails(Callback):
        def on_train_start(self, context):
            raise ZeroDivisionError

    params, settings, other = make_text_params(), text_settings(tmp_path), Stopping("")
    with Run.open(settings, "run", params.to_dict()) as opened:
        trainer = build_trainer(params, make_instance(params), settings, opened)
        trainer.use(TrainerComponents(callbacks=[other, Fails()]))
        with pytest.raises(ZeroDivisionError):
            trainer.train()
    assert [event for event, _ in other.told] == ["on_train_start", "on_train_end"]


def test_a_misspelt_statistic_of_ones_own_is_found_after_the_first_iteration(tmp_path):
    def own(self, rollouts, *, train=True):
        return {"score" if train else "test_score": 1.0}

    def watching(name):
        return [{"name": "early_stopping", "monitor": name, "patience": 2}]

    with patch.object(PureTextEiTrainer, "_get_log_stats", own):
        with pytest.raises(UnknownNameError, match=r"'scoer'.*Did you mean 'score'"):
            run(tmp_path / "misspelt", callbacks=watching("scoer"))
        result = run(tmp_path / "right", callbacks=watching("test_score"))
    assert read_history(result.folder).values("test_score") == [(1, 1.0), (2, 1.0), (3, 1.0)]
