"""Schedules are active on the right iterations and survive being stored."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.errors import ParameterError
from nip.parameters import (
    AlternatingPeriodicUpdateSchedule,
    ConstantUpdateSchedule,
    ContiguousPeriodicUpdateSchedule,
    DelayedUpdateSchedule,
    UpdateSchedule,
)
from tests.parameters.examples import schedules


def active_iterations(schedule: UpdateSchedule, until: int = 10) -> list[int]:
    return [iteration for iteration in range(until) if schedule.is_active(iteration)]


def test_the_constant_schedule_is_always_active() -> None:
    assert active_iterations(ConstantUpdateSchedule()) == list(range(10))


def test_the_delayed_schedule_is_active_from_its_start_on() -> None:
    assert active_iterations(DelayedUpdateSchedule(start=7)) == [7, 8, 9]
    assert not DelayedUpdateSchedule(start=10).is_ever_active(10)


def test_the_contiguous_schedule_is_active_in_one_stretch_of_each_period() -> None:
    schedule = ContiguousPeriodicUpdateSchedule(period=5, start=1, stop=3)
    assert active_iterations(schedule) == [1, 2, 6, 7]


def test_alternating_agents_share_the_period() -> None:
    first = AlternatingPeriodicUpdateSchedule(period=4, first_agent_num_rounds=1)
    second = AlternatingPeriodicUpdateSchedule(4, 1, first_agent=False)
    assert active_iterations(first) == [0, 4, 8]
    assert active_iterations(second) == [1, 2, 3, 5, 6, 7, 9]


@given(st.integers(2, 50), st.data(), st.integers(0, 1000))
def test_exactly_one_of_two_alternating_agents_learns(
    period: int, data: st.DataObject, iteration: int
) -> None:
    num_rounds = data.draw(st.integers(1, period - 1))
    first, second = (
        AlternatingPeriodicUpdateSchedule(period, num_rounds, is_first)
        for is_first in (True, False)
    )
    assert first.is_active(iteration) != second.is_active(iteration)


@given(schedules())
def test_a_schedule_survives_being_stored(stored: dict[str, Any]) -> None:
    schedule = UpdateSchedule.from_dict(stored)
    assert schedule.to_dict() == stored
    assert type(schedule).from_dict(stored) == schedule


def test_the_stored_form_names_the_class_and_its_fields() -> None:
    assert ContiguousPeriodicUpdateSchedule(5, 1, 3).to_dict() == {
        "_type": "ContiguousPeriodicUpdateSchedule",
        "ContiguousPeriodicUpdateSchedule": {"period": 5, "start": 1, "stop": 3},
    }


def test_fields_of_other_schedules_may_stand_beside_the_chosen_one() -> None:
    stored = {
        "_type": "AlternatingPeriodicUpdateSchedule",
        "ConstantUpdateSchedule": {},
        "ContiguousPeriodicUpdateSchedule": {"period": None, "start": None, "stop": None},
        "AlternatingPeriodicUpdateSchedule": {"period": 3, "first_agent_num_rounds": 1},
    }
    expected = AlternatingPeriodicUpdateSchedule(period=3, first_agent_num_rounds=1)
    assert UpdateSchedule.from_dict(stored) == expected


def test_nothing_given_means_learning_always() -> None:
    assert UpdateSchedule.build(None, "update_schedule") == ConstantUpdateSchedule()


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ({}, "must be an update schedule, or a mapping.*ContiguousPeriodicUpdateSchedule"),
        ({"period": 3}, "must be an update schedule, or a mapping"),
        ("Constant", "must be UpdateSchedule, a mapping"),
        ({"_type": "Constant"}, "There is no .*'Constant'.*Known: .*ConstantUpdateSchedule"),
        ({"_type": "LrFactors"}, "must name UpdateSchedule or a class derived"),
        ({"_type": "ContiguousPeriodicUpdateSchedule"}, "3 problems"),
        (
            {
                "_type": "ContiguousPeriodicUpdateSchedule",
                "ContiguousPeriodicUpdateSchedule": {"period": 3, "start": 0, "stop": None},
            },
            r"^UpdateSchedule\.stop is missing",
        ),
        (
            {"_type": "ConstantUpdateSchedule", "ContiguousPeriodicSchedule": {}},
            "Did you mean 'ContiguousPeriodicUpdateSchedule'",
        ),
        (
            {"_type": "ConstantUpdateSchedule", "ConstantUpdateSchedule": {"period": 3}},
            r"There is no parameter 'UpdateSchedule\.period'",
        ),
        (
            {"_type": "ConstantUpdateSchedule", "ConstantUpdateSchedule": 3},
            "must be a mapping, got 3",
        ),
    ],
)
def test_a_wrong_stored_form_is_refused(stored: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        UpdateSchedule.build(stored, "UpdateSchedule")


@pytest.mark.parametrize(("period", "start", "stop"), [(3, 2, 2), (3, 2, 1), (3, 0, 4), (0, 0, 1)])
def test_a_contiguous_stretch_lies_within_the_period(period: int, start: int, stop: int) -> None:
    with pytest.raises(ParameterError, match="must be"):
        ContiguousPeriodicUpdateSchedule(period, start, stop)


@pytest.mark.parametrize(("period", "num_rounds"), [(3, 3), (3, 4), (1, 1), (3, 0)])
def test_both_alternating_agents_have_a_turn(period: int, num_rounds: int) -> None:
    with pytest.raises(ParameterError, match="must be"):
        AlternatingPeriodicUpdateSchedule(period, num_rounds)
