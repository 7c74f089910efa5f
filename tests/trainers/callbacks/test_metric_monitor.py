"""What counts as an improvement."""

import json
import math

import pytest

from nip.trainers.callbacks.metric_monitor import MetricMonitor


def improvements(values, **options):
    monitor = MetricMonitor("x", **options)
    return [monitor.update(value) for value in values]


@pytest.mark.parametrize(
    ("options", "values", "expected"),
    [
        ({}, [1, 2, 2, 1, 3], [True, True, False, False, True]),
        ({"mode": "min"}, [1, 2, 2, 1, 0.5], [True, False, False, False, True]),
        # A step of exactly min_delta is none, and small steps add up to one.
        ({"min_delta": 0.5}, [1, 1.5, 1.25, 1.75, 2.25], [True, False, False, True, False]),
        ({"mode": "min", "min_delta": 0.5}, [1, 0.5, 0.25], [True, False, True]),
    ],
)
def test_an_improvement_is_better_by_more_than_min_delta(options, values, expected):
    assert improvements(values, **options) == expected


def test_what_is_not_finite_is_never_one_and_never_the_best():
    assert improvements([math.inf, math.nan, 1.0, math.inf, math.nan, 2.0]) == [
        False,
        False,
        True,
        False,
        False,
        True,
    ]


def test_it_knows_the_best_value_and_how_long_ago_it_was():
    monitor = MetricMonitor("x", mode="min")
    assert (monitor.best, monitor.best_iteration, monitor.num_without_improvement) == (
        None,
        None,
        0,
    )
    for iteration, value in [(10, 3.0), (20, 1.0), (30, 2.0), (40, 1.0)]:
        monitor.update(value, iteration)
    assert (monitor.best, monitor.best_iteration, monitor.num_without_improvement) == (1.0, 20, 2)


def test_without_iterations_values_are_counted():
    monitor = MetricMonitor("x")
    for value in (1.0, 3.0, 2.0):
        monitor.update(value)
    assert monitor.best_iteration == 2


@pytest.mark.parametrize("cut", range(6))
def test_cut_anywhere_it_goes_on_as_if_it_had_not_been(cut):
    values = [2.0, math.nan, 3.0, 1.0, 4.0, 4.0]
    whole, first, second = (MetricMonitor("x", min_delta=0.1) for _ in range(3))
    expected = [whole.update(value) for value in values]
    found = [first.update(value) for value in values[:cut]]
    second.load_state_dict(json.loads(json.dumps(first.state_dict(), allow_nan=False)))
    found += [second.update(value) for value in values[cut:]]
    assert found == expected
    assert second.state_dict() == whole.state_dict()


@pytest.mark.parametrize(
    ("mode", "value", "bound", "expected"),
    [("max", 2, 2, True), ("max", 1, 2, False), ("min", 2, 2, True), ("min", 3, 2, False)],
)
def test_a_bound_is_reached_by_what_is_as_good(mode, value, bound, expected):
    assert MetricMonitor("x", mode=mode).reaches(value, bound) is expected
