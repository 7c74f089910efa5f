"""The order of datapoints: complete passes over the data, continued across iterations."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.trainers.text.data_order import (
    RolloutRequest,
    is_tested,
    num_rollouts_of_run,
    requests_of_iteration,
    requests_of_stage,
    whole_split,
    with_copies,
)
from tests.text_experiments import make_text_params

SIZES = st.integers(1, 12)


@given(num_datapoints=SIZES, num_rollouts=st.integers(1, 40), seed=st.integers(0, 3))
def test_every_pass_over_the_data_is_complete(num_datapoints, num_rollouts, seed):
    asked = []
    for iteration in range(5):
        questions = requests_of_iteration(num_datapoints, num_rollouts, iteration, seed)
        assert [each.position for each in questions] == list(range(num_rollouts))
        asked += [each.datapoint for each in questions]
    passes = [
        asked[first : first + num_datapoints] for first in range(0, len(asked), num_datapoints)
    ]
    for complete in passes[:-1]:
        assert sorted(complete) == list(range(num_datapoints))
    assert len(set(passes[-1])) == len(passes[-1])


@given(num_datapoints=SIZES, num_rollouts=st.integers(1, 40), iteration=st.integers(0, 10**6))
def test_copies_tell_the_same_question_in_one_iteration_apart(
    num_datapoints, num_rollouts, iteration
):
    questions = requests_of_iteration(num_datapoints, num_rollouts, iteration, seed=0)
    numbers = Counter(each.datapoint for each in questions)
    # Two incomplete passes at most, so that no question comes more than once oftener than needed.
    assert max(numbers.values()) <= num_rollouts // num_datapoints + 2
    assert {(each.datapoint, each.copy) for each in questions} == {
        (row, copy) for row, number in numbers.items() for copy in range(number)
    }


def test_iterations_as_large_as_the_data_see_all_of_it_in_new_orders():
    iterations = [requests_of_iteration(20, 20, iteration, seed=1) for iteration in range(3)]
    orders = [tuple(each.datapoint for each in questions) for questions in iterations]
    assert all(sorted(order) == list(range(20)) for order in orders)
    assert len(set(orders)) == 3


def test_the_order_follows_from_the_seed():
    def order(seed):
        return [each.datapoint for each in requests_of_iteration(20, 15, 2, seed)]

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_an_iteration_continues_the_pass_of_the_one_before():
    in_one = requests_of_iteration(7, 30, 0, seed=5)
    in_three = [q for each in range(3) for q in requests_of_iteration(7, 10, each, seed=5)]
    assert [each.datapoint for each in in_one] == [each.datapoint for each in in_three]


def test_copies_are_counted_by_hand():
    assert with_copies([4, 2, 4, 4]) == [
        RolloutRequest(0, 4, 0),
        RolloutRequest(1, 2, 0),
        RolloutRequest(2, 4, 1),
        RolloutRequest(3, 4, 2),
    ]
    assert whole_split(2) == [RolloutRequest(0, 0, 0), RolloutRequest(1, 1, 0)]


def stage(phase, iteration, num_datapoints=10, **changes):
    params = make_text_params(**changes)
    return [each.datapoint for each in requests_of_stage(params, phase, iteration, num_datapoints)]


def test_without_a_number_there_is_a_rollout_for_each_datapoint():
    assert len(stage("train", 0, rl={"rollouts_per_iteration": None})) == 10
    assert len(stage("train", 0, rl={"rollouts_per_iteration": 25})) == 25


def test_tests_use_the_same_datapoints_every_time():
    text_rl = {"test_scheme": "all"}
    assert stage("test", 0, text_rl=text_rl) == stage("test", 3, text_rl=text_rl) == list(range(10))
    text_rl["test_on_whole_dataset"] = False
    rl = {"rollouts_per_iteration": 4}
    part = stage("test", 0, text_rl=text_rl, rl=rl)
    assert len(set(part)) == 4
    assert stage("test", 3, text_rl=text_rl, rl=rl) == part
    # No question is asked twice in a test, however large an iteration is.
    rl = {"rollouts_per_iteration": 25}
    assert sorted(stage("test", 0, text_rl=text_rl, rl=rl)) == list(range(10))


@pytest.mark.parametrize(
    ("scheme", "tested"),
    [
        ("none", [False, False, False]),
        ("all", [True, True, True]),
        ("last", [False, False, True]),
        ("first_and_last", [True, False, True]),
    ],
)
def test_the_scheme_says_when_there_are_tests(scheme, tested):
    params = make_text_params(rl={"num_iterations": 3}, text_rl={"test_scheme": scheme})
    assert [is_tested(params, iteration) for iteration in range(3)] == tested
    # 3 iterations of 12 rollouts, and 5 questions in each test.
    assert num_rollouts_of_run(params, num_train=40, num_test=5) == 36 + 5 * sum(tested)


def test_a_single_iteration_is_the_first_and_the_last():
    params = make_text_params(rl={"num_iterations": 1}, text_rl={"test_scheme": "first_and_last"})
    assert num_rollouts_of_run(params, num_train=40, num_test=5) == 12 + 5


def test_where_tests_are_run_again_nothing_else_is_counted():
    base_run = {"base_run_type": "rerun_tests", "run_id": "base"}
    params = make_text_params(
        rl={"num_iterations": 3}, text_rl={"test_scheme": "last"}, base_run=base_run
    )
    assert num_rollouts_of_run(params, num_train=40, num_test=5) == 3 * 5
    base_run["rerun_tests_force_test_during_training_state"] = False
    params = make_text_params(
        rl={"num_iterations": 3}, text_rl={"test_scheme": "last"}, base_run=base_run
    )
    assert num_rollouts_of_run(params, num_train=40, num_test=5) == 5
