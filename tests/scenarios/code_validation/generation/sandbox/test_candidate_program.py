"""What candidate programs get, and how their outcomes are named, in this process."""

import collections
import enum
import os
import types
from typing import Any

import pytest

from nip.scenarios.code_validation.generation.sandbox.candidate_program import (
    HOPELESS_AFTER,
    RefusedError,
    StepLimitReachedError,
    Steps,
    call,
    plain,
    public_part,
    refuse_events,
    restricted_import,
    run_program,
)

Point = collections.namedtuple("Point", "x y")


class Colour(enum.IntEnum):
    """A type of integers that JSON would write as such."""

    RED = 1


def test_the_last_allowed_step_is_taken_and_a_restart_allows_as_many_again() -> None:
    steps = Steps(2)
    assert steps.take() and steps.take()
    with pytest.raises(StepLimitReachedError):
        steps.take()
    assert steps.restart() == 3
    steps.take()
    assert (steps.restart(), steps.restart()) == (1, 0)


def test_a_copied_module_gives_access_to_no_other_module_and_no_private_name() -> None:
    module = types.ModuleType("whole")
    vars(module).update(f=len, _g=len, os=os)
    copy = public_part(module)
    assert [name for name in vars(copy) if not name.startswith("__")] == ["f"]
    copy.f = None
    assert module.f is len


def test_a_dotted_import_binds_the_first_name_and_a_from_import_the_last() -> None:
    assert restricted_import("collections.abc").Counter is collections.Counter
    assert restricted_import("collections.abc", wanted=("Sized",)).Sized is collections.abc.Sized
    with pytest.raises(RefusedError, match="import of math"):
        restricted_import("math", level=1)


def test_a_refusal_cannot_be_caught_as_an_exception() -> None:
    refuse_events("compile", ())
    with pytest.raises(RefusedError, match=r"socket\.connect"):
        refuse_events("socket.connect", ())
    assert not issubclass(RefusedError, Exception)
    assert not issubclass(StepLimitReachedError, Exception)


def test_tuples_become_lists_at_any_depth() -> None:
    assert plain({"a": (1, [Point(2, (3.5,))])}) == {"a": [1, [[2, [3.5]]]]}


@pytest.mark.parametrize("value", [Colour.RED, {1: 2}, b"x", [{3}], 1j])
def test_what_json_does_not_know_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        plain(value)


def ask(result: Any) -> tuple[str, str]:
    """Call a program that returns or raises a result."""

    def solve() -> Any:
        if isinstance(result, BaseException):
            raise result
        return result

    return call(solve, [])


def test_an_error_does_not_depend_on_addresses_and_stays_short() -> None:
    assert ask(ValueError("<f at 0x7fA01c>")) == ("exception", "ValueError: <f at 0x>")
    assert ask(KeyError("k" * 500)) == ("exception", "KeyError: '" + 199 * "k")
    with pytest.raises(MemoryError):
        ask(MemoryError())


def test_a_value_that_cannot_be_written_down_is_strange() -> None:
    endless: list = []
    endless.append(endless)
    assert ask(endless) == ("strange", "<list>")
    assert ask("\ud800") == ("strange", "<str>")
    # With its quotation marks the first text has the greatest length.
    assert ask("x" * 19_998)[0] == "value"
    assert ask("x" * 19_999) == ("strange", "<str of 20001 characters>")


def test_a_program_is_hopeless_only_if_none_of_the_first_inputs_has_a_value() -> None:
    program = "def solve(n):\n    return 10 // (n // 11)"
    inputs = [f"[{n}]" for n in range(HOPELESS_AFTER + 1)]
    assert HOPELESS_AFTER == 12
    kinds = [kind for kind, _ in run_program(program, inputs, 100)["outcomes"]]
    assert kinds == ["exception"] * 11 + ["value"] * 2
    assert run_program(program, ["[0]"] * 12, 100) == {"stopped": "it answers nothing"}
    assert len(run_program(program, ["[0]"] * 11, 100)["outcomes"]) == 11


def test_the_steps_of_a_program_are_those_of_its_most_expensive_call_or_of_loading() -> None:
    program = "for _ in range(7):\n    pass\ndef solve(n):\n    for _ in range(n):\n        pass"
    assert run_program(program, ["[1]", "[2]"], 100)["steps"] == 7
    # One step for the call.
    assert run_program(program, ["[9]", "[2]"], 100)["steps"] == 1 + 9
