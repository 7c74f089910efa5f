"""Metrics that callbacks measure do not replace those of others."""

from math import nan

import pytest

from nip.errors import ParameterError
from nip.trainers.core.callback import Callback
from nip.trainers.core.measured_metrics import MeasuredMetrics, check_measured_names
from tests.experiments import make_params, make_trainer


class Measuring(Callback):
    """Measures given metrics; states their names only if it is told to."""

    def __init__(self, *, states_names=False, **metrics):
        self.metrics, self.states_names = metrics, states_names

    def metric_names(self, trainer):
        return list(self.metrics) if self.states_names else ()

    def measure(self, context):
        return self.metrics


class Other(Measuring):
    """Another class."""


def test_what_several_callbacks_measure_is_joined():
    measured = MeasuredMetrics({"loss"})
    measured.add(Measuring(), {"own": 1.0, "a.b/c-d": 2.0})
    measured.add(Other(), {"other": 3.0})
    assert measured.metrics == {"own": 1.0, "a.b/c-d": 2.0, "other": 3.0}


@pytest.mark.parametrize("value", [0.5, nan])
def test_callbacks_of_one_class_may_measure_the_same(value):
    measured = MeasuredMetrics()
    for _ in range(2):
        measured.add(Measuring(), {"share": value})
    assert str(measured.metrics) == str({"share": value})


@pytest.mark.parametrize("second", [Measuring, Other])
def test_callbacks_that_measure_different_values_under_one_name_are_refused(second):
    measured = MeasuredMetrics()
    measured.add(Measuring(), {"share": 0.5})
    message = f"Measuring and {second.__name__}, measure the metric 'share': 0.5 and 0.25"
    with pytest.raises(ParameterError, match=message):
        measured.add(second(), {"share": 0.25})


@pytest.mark.parametrize("name", ["my metric!", "", "-share", 3])
def test_names_that_are_not_suitable_are_refused(name):
    with pytest.raises(ParameterError, match="Measuring measures a metric with the name"):
        check_measured_names(Measuring(), [name])


def test_a_metric_of_the_trainer_is_refused_before_training_if_it_is_named():
    trainer = make_trainer(make_params())
    trainer.add_callback(Measuring(states_names=True, mean_accuracy=3.0))
    with pytest.raises(ParameterError, match="Measuring measures 'mean_accuracy', which is"):
        trainer.check()


def test_a_metric_of_the_trainer_is_refused_in_the_first_iteration_otherwise():
    trainer = make_trainer(make_params())
    trainer.add_callback(Measuring(mean_accuracy=3.0))
    trainer.check()
    with pytest.raises(ParameterError, match="Measuring measures 'mean_accuracy', which is"):
        trainer.train()
    assert trainer.history.names() == []


def test_a_metric_of_its_own_is_logged():
    trainer = make_trainer(make_params())
    trainer.add_callback(Measuring(states_names=True, own=3.0))
    trainer.train()
    assert trainer.history.values("own") == [(1, 3.0), (2, 3.0)]
