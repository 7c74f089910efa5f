"""Combinations of a grid, of random draws, and those that are checked."""

import math

from hypothesis import given
from hypothesis import strategies as st

from nip.sweeps.space import Range, corners, grid, problem_with_range, random_combinations

SPACE = {
    "lr": {"low": 1e-4, "high": 1e-1, "log": True},
    "layers": {"low": 1, "high": 3},
    "kind": ["a", [1, 2], None],
}


def test_a_grid_has_all_combinations_in_the_order_of_the_file() -> None:
    assert list(grid({"a": [1, 2], "b": ["x", "y"]})) == [
        {"a": 1, "b": "x"},
        {"a": 1, "b": "y"},
        {"a": 2, "b": "x"},
        {"a": 2, "b": "y"},
    ]
    assert list(grid({})) == [{}]


def test_more_trials_begin_with_the_same_ones_and_do_not_depend_on_the_order_of_names() -> None:
    few, many = (list(random_combinations(SPACE, number, 7)) for number in (5, 50))
    assert many[:5] == few
    turned = dict(reversed(SPACE.items()))
    assert list(random_combinations(turned, 50, 7)) == many
    assert list(random_combinations(SPACE, 5, 8)) != few


def test_draws_are_uniform() -> None:
    drawn = list(random_combinations(SPACE, 3000, 0))
    logs = [math.log10(each["lr"]) for each in drawn]
    assert -4 <= min(logs) < max(logs) <= -1
    # The standard error of the mean of a uniform variable of width 3 is 3 / sqrt(12 * 3000).
    assert abs(sum(logs) / 3000 + 2.5) < 4 * 3 / math.sqrt(12 * 3000)
    for value in (1, 2, 3):
        count = sum(each["layers"] == value for each in drawn)
        assert abs(count - 1000) < 4 * math.sqrt(3000 * 2 / 9)


def test_each_listed_value_and_both_ends_of_each_range_are_checked() -> None:
    assert list(corners(SPACE)) == [
        {"lr": 1e-4, "layers": 1, "kind": "a"},
        {"lr": 1e-1, "layers": 3, "kind": [1, 2]},
        {"lr": 1e-1, "layers": 3, "kind": None},
    ]


@given(
    st.one_of(st.integers(1, 10**6), st.floats(1e-9, 1e6)),
    st.one_of(st.integers(1, 10**6), st.floats(1e-9, 1e6)),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_draws_lie_in_the_range(low, high, log, generator) -> None:
    given_range = {"low": low, "high": high, "log": log}
    assert (problem_with_range(given_range) is None) == (low < high)
    if low < high:
        domain = Range(low, high, log)
        value = domain.draw(generator)
        assert low <= value <= high
        assert isinstance(value, int) == domain.is_integer
