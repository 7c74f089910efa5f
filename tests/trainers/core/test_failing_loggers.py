"""A logger that fails ends no training; a callback that steers does."""

import warnings

import pytest

from nip.errors import NipWarning, ParameterError
from nip.run import run_experiment
from nip.trainers.core.callback import Callback
from nip.trainers.core.callback_registry import callback_registry
from nip.trainers.core.components import TrainerComponents
from tests.experiments import make_params, make_settings
from tests.trainers.callbacks import test_csv


def run(folder, *callbacks, **changes):
    """Run three iterations; return the result, and what was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", NipWarning)
        result = run_experiment(
            make_params(rl={"num_iterations": 3}, **changes),
            run_id="run",
            settings=make_settings(folder),
            components=TrainerComponents(callbacks=list(callbacks)),
        )
    return result, [str(each.message) for each in caught if "has failed" in str(each.message)]


class Failing(Callback):
    is_observer = True
    may_fail = True

    def __init__(self, *events):
        self.num_calls = 0
        for event in events:
            setattr(self, event, self.fail)

    def fail(self, context):
        self.num_calls += 1
        raise OSError(f"no connection {self.num_calls}")


@pytest.mark.filterwarnings("ignore::nip.errors.NipWarning")
def test_a_logger_that_fails_is_reported_once_and_changes_nothing(tmp_path):
    events = ("on_train_start", "on_log", "on_iteration_end", "on_checkpoint", "on_train_end")
    loggers = Failing(*events), Failing("on_log")
    result, said = run(tmp_path / "failing", *loggers)
    expected, _ = run(tmp_path / "without")
    assert result.metrics == expected.metrics
    assert loggers[0].num_calls > 8
    assert len(said) == 2
    assert "Failing.on_train_start has failed (OSError: no connection 1)" in said[0]
    assert "Failing.on_log" in said[1]


def test_what_the_user_can_mend_is_refused_at_the_start(tmp_path):
    class Unconfigured(Callback):
        may_fail = True

        def on_train_start(self, context):
            raise ParameterError("Name a project.")

    with pytest.raises(ParameterError, match="Name a project"):
        run(tmp_path, Unconfigured())


def test_only_what_looks_on_may_fail():
    assert all(cls.is_observer for _, cls in callback_registry.items() if cls.may_fail)
    assert {name for name, cls in callback_registry.items() if cls.may_fail} == {
        "csv",
        "profiler",
        "rollout_samples",
        "tensorboard",
        "wandb",
    }


def test_the_table_is_complete_in_the_end_although_it_could_not_be_written(tmp_path):
    class Obstacle(Callback):
        def on_iteration_start(self, context):
            path = context.folder / "metrics.csv"
            if context.iteration == 0:
                path.unlink()
                path.mkdir()
            if context.iteration == 2:
                path.rmdir()

    result, said = run(tmp_path, Obstacle(), callbacks=["csv"])
    assert len(said) == 1
    assert "Csv.on_log has failed" in said[0]
    rows = test_csv.read(result.folder)
    assert [row[0] for row in rows] == ["iteration", "1", "2", "3"]
