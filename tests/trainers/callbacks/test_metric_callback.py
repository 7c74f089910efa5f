"""Which values reach a callback that monitors a metric, and with which others it goes together."""

import pytest

from nip.errors import ParameterError
from nip.parameters.callbacks import MonitoringParameters
from nip.trainers.callbacks.metric_callback import MetricCallback
from tests.trainers.callbacks.scripted_training import ScriptedTraining


class Taking(MetricCallback):
    """Writes down each value with whether it is an improvement."""

    def __init__(self, monitor="x", **options):
        super().__init__(MonitoringParameters(name="taking", monitor=monitor, **options))
        self.taken = []

    def take_value(self, context, value, is_improvement):
        self.taken.append((value, is_improvement))


class TakingOnly(Taking):
    marks_best = False


def test_the_values_of_its_metric_come_with_whether_they_are_better():
    training = ScriptedTraining(Taking(mode="min", min_delta=0.5))
    training.iterate({"y": 0.0, "x": 2.0}, {"z": 1.0})
    training.iterate({"x": 1.75})
    training.iterate({"y": -1.0})
    training.iterate({"x": 1.0})
    assert training.callback.taken == [(2.0, True), (1.75, False), (1.0, True)]
    assert training.callback.monitored == ("x",)


@pytest.mark.parametrize("iteration", [0, 2, 4])
def test_a_value_of_another_iteration_is_ignored(iteration):
    training = ScriptedTraining(Taking(), done=2)
    training.log(iteration, {"x": 1.0})
    assert training.callback.taken == []
    training.log(3, {"x": 0.5})
    assert training.callback.taken == [(0.5, True)]


def test_what_was_best_is_known_after_a_resumption():
    first = ScriptedTraining(Taking())
    first.iterate({"x": 2.0})
    resumed = Taking()
    resumed.load_state_dict(first.callback.state_dict())
    second = ScriptedTraining(resumed, done=1)
    second.iterate({"x": 1.0})
    second.iterate({"x": 3.0})
    assert resumed.taken == [(1.0, False), (3.0, True)]


def test_all_its_problems_are_reported_together():
    training = ScriptedTraining(Taking())
    training.hyper_params.eval_every = None
    training.callbacks = [Taking("test_x", mode="min"), Taking("y")]
    with pytest.raises(ParameterError) as caught:
        training.callbacks[0].check(training)
    metric, best = caught.value.problems
    assert metric.startswith("Taking.monitor='test_x' is a metric of evaluations")
    assert best.startswith(
        "Taking marks the best checkpoint by monitor='test_x' with mode='min', and Taking by 'y' "
        "with 'max', but only one can be the best."
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Taking(), Taking(min_delta=1.0)),
        (TakingOnly(), Taking("y")),
        (Taking(), TakingOnly("y")),
    ],
)
def test_two_agree_if_they_mark_by_the_same_or_only_one_marks(first, second):
    ScriptedTraining(first, callbacks=[second])
