"""Tasks in lockstep."""

import random
from functools import partial

import pytest

from nip.utils.lockstep import Lockstep


def run(*spans: tuple[int, int]) -> tuple[list, list]:
    """Let tasks meet in the steps of their spans; return their outcomes, and who met when."""
    lockstep = Lockstep()
    calls: list[list[tuple[str, int]]] = []

    def answer(requests: list[tuple[str, int]]) -> list[int]:
        calls.append(requests)
        return [10 * step for _, step in requests]

    def task(name: str, first: int, last: int) -> list[int]:
        return [lockstep.meet(answer, (name, step), (step,)) for step in range(first, last)]

    tasks = [partial(task, name, *span) for name, span in zip("abc", spans, strict=False)]
    return lockstep.run(tasks), calls


def test_requests_of_one_step_are_answered_together() -> None:
    outcomes, calls = run((0, 2), (0, 2))
    assert outcomes == [[0, 10], [0, 10]]
    assert calls == [[("a", 0), ("b", 0)], [("a", 1), ("b", 1)]]


def test_a_task_that_is_behind_catches_up_before_the_others_go_on() -> None:
    outcomes, calls = run((2, 4), (0, 4))
    assert outcomes == [[20, 30], [0, 10, 20, 30]]
    assert calls == [[("b", 0)], [("b", 1)], [("a", 2), ("b", 2)], [("a", 3), ("b", 3)]]


def test_the_others_go_on_when_a_task_has_ended() -> None:
    outcomes, calls = run((0, 1), (0, 3))
    assert outcomes == [[0], [0, 10, 20]]
    assert [len(requests) for requests in calls] == [2, 1, 1]


def test_the_error_of_a_task_is_its_outcome_and_leaves_the_others_alone() -> None:
    lockstep = Lockstep()

    def fail() -> None:
        lockstep.meet(answer, 1)
        raise ValueError("broken")

    def go_on() -> list[int]:
        return [lockstep.meet(answer, number) for number in range(3)]

    def answer(requests: list[int]) -> list[int]:
        return [-number for number in requests]

    error, result = lockstep.run([fail, go_on])
    assert str(error) == "broken"
    assert result == [0, -1, -2]


def test_an_error_of_an_answer_is_raised_in_all_tasks_that_asked() -> None:
    lockstep = Lockstep()

    def answer(requests: list[int]) -> list[int]:
        raise ValueError(f"{len(requests)} requests")

    outcomes = lockstep.run([lambda: lockstep.meet(answer, 1), lambda: lockstep.meet(answer, 2)])
    assert [str(error) for error in outcomes] == ["2 requests", "2 requests"]


def test_an_interruption_of_the_caller_ends_all_tasks() -> None:
    lockstep, seen = Lockstep(), []

    def answer(requests: list[int]) -> list[int]:
        raise KeyboardInterrupt

    def task() -> None:
        try:
            lockstep.meet(answer, 0)
        finally:
            seen.append("cleaned up")

    with pytest.raises(KeyboardInterrupt):
        lockstep.run([task, task])
    assert seen == ["cleaned up"] * 2


def test_each_task_has_the_state_of_the_process_for_itself() -> None:
    lockstep = Lockstep(random.getstate, random.setstate)

    def draw(seed: int) -> list[float]:
        random.seed(seed)
        return [lockstep.meet(list, random.random()) for _ in range(3)]

    before = random.getstate()
    outcomes = lockstep.run([lambda: draw(1), lambda: draw(2)])
    assert random.getstate() == before
    for seed, numbers in zip((1, 2), outcomes, strict=True):
        generator = random.Random(seed)
        assert numbers == [generator.random() for _ in range(3)]
