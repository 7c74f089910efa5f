"""The sandbox runs programs faithfully and isolates them from the system."""

from collections.abc import Iterator

import pytest

from nip.scenarios.code_validation.generation.sandbox import isolation
from nip.scenarios.code_validation.generation.sandbox import sandbox as sandbox_module
from nip.scenarios.code_validation.generation.sandbox.sandbox import (
    Sandbox,
    SandboxError,
    read_run,
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as opened:
        yield opened


def outcomes(sandbox: Sandbox, program: str, *inputs: tuple, max_steps: int = 1000) -> list:
    sandbox.set_inputs(inputs)
    run = sandbox.run(program, max_steps)
    assert run.stopped is None, run.stopped
    return [(outcome.kind, outcome.text) for outcome in run.outcomes]


def stopped(sandbox: Sandbox, program: str, num_inputs: int = 1) -> str:
    sandbox.set_inputs([(0,)] * num_inputs)
    reason = sandbox.run(program, 1000).stopped
    assert reason is not None
    return reason


def test_values_come_back_as_json(sandbox: Sandbox) -> None:
    program = "def solve(a, b):\n    return {'sum': (a + b, None), 'é': [True, '☺']}"
    assert outcomes(sandbox, program, (1, 2)) == [("value", '{"sum": [3, null], "é": [true, "☺"]}')]


def test_each_call_gets_fresh_arguments(sandbox: Sandbox) -> None:
    program = "def solve(values):\n    values.append(len(values))\n    return values"
    shared = [5]
    assert outcomes(sandbox, program, (shared,), (shared,)) == [("value", "[5, 1]")] * 2
    assert shared == [5]


@pytest.mark.parametrize(
    ("expression", "kind", "text"),
    [
        ("{1, 2}", "strange", "<set>"),
        ("(i for i in [])", "strange", "<generator>"),
        ("{1: 2}", "strange", "<dict>"),
        ("10 ** 5000", "strange", "<int>"),
        ("'x' * 30000", "strange", "<str of 30002 characters>"),
        ("[][x]", "exception", "IndexError: list index out of range"),
        ("int(object)", "exception", None),
        ("solve(x)", "exception", None),
        ("[i for i in range(2000)]", "timeout", ""),
    ],
)
def test_whatever_happens_has_a_name(
    sandbox: Sandbox, expression: str, kind: str, text: str | None
) -> None:
    program = f"def solve(x):\n    return {expression}"
    found_kind, found_text = outcomes(sandbox, program, (0,))[0]
    assert found_kind == kind
    assert text is None or found_text == text


def test_steps_are_passes_of_loops_and_calls(sandbox: Sandbox) -> None:
    sandbox.set_inputs([(3,), (5,)])
    program = "def solve(n):\n    for i in range(n):\n        [j for j in range(2)]\n    return n"
    # The call, and for each of 5 passes the pass itself and two of the comprehension.
    assert sandbox.run(program, 1000).steps == 1 + 5 * 3
    kinds = [outcome.kind for outcome in sandbox.run(program, 12).outcomes]
    assert kinds == ["value", "timeout"]


def test_an_endless_loop_cannot_swallow_its_end(sandbox: Sandbox) -> None:
    program = (
        "def solve(x):\n    while True:\n        try:\n            x += 1\n"
        "        except Exception:\n            pass"
    )
    assert outcomes(sandbox, program, (0,)) == [("timeout", "")]


def test_the_order_of_sets_is_that_of_the_hash_seed() -> None:
    program = "def solve(words):\n    return list(set(words))"
    words = [f"w{number}" for number in range(20)]
    orders = []
    for seed in (0, 0, 1):
        with Sandbox(hash_seed=seed) as opened:
            orders.append(outcomes(opened, program, (words,))[0][1])
    assert orders[0] == orders[1] != orders[2]


@pytest.mark.parametrize(
    "program",
    [
        "import os\ndef solve(x):\n    return os.getcwd()",
        "def solve(x):\n    import socket",
        "def solve(x):\n    from subprocess import run",
        "def solve(x):\n    return __import__('sys')",
        "def solve(x):\n    import ctypes",
        "def solve(x):\n    import collections.abcd",
    ],
)
def test_other_modules_cannot_be_imported(sandbox: Sandbox, program: str) -> None:
    assert stopped(sandbox, program).startswith("it is not allowed: import of ")


def test_the_allowed_modules_work(sandbox: Sandbox) -> None:
    program = """
import collections.abc, heapq
from collections import Counter, deque, namedtuple
from itertools import accumulate
from functools import lru_cache, cmp_to_key, reduce
from math import gcd
import re, string, bisect, operator
Point = namedtuple("Point", "x y")
@lru_cache(maxsize=None)
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
def solve(x):
    is_sized = isinstance([], collections.abc.Sized)
    return [Point(1, 2).y, fib(20), re.sub("a", "b", "banana"), is_sized,
            list(accumulate([1, 2, 3])), gcd(12, 18), Counter("aab").most_common(1)]
"""
    assert outcomes(sandbox, program, (0,)) == [
        ("value", '[2, 6765, "bbnbnb", true, [1, 3, 6], 6, [["a", 2]]]')
    ]


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("def solve(x):\n    values = [0]\n    while True:\n        values += values", "memory"),
        ("held = [bytes(2**20) for _ in range(1000)]", "memory"),
        ("def other(x):\n    return x", "it cannot be loaded: KeyError"),
        ("1 / 0", "it cannot be loaded: ZeroDivisionError"),
        ("while True:\n    pass", "it cannot be loaded: StepLimitReachedError"),
    ],
)
def test_a_program_that_cannot_be_judged_is_stopped(
    sandbox: Sandbox, program: str, reason: str
) -> None:
    assert reason in stopped(sandbox, program)


def test_a_program_that_answers_nothing_is_not_run_on_all_inputs(sandbox: Sandbox) -> None:
    assert stopped(sandbox, "def solve(x):\n    return 1 / 0", 50) == "it answers nothing"


def test_counting_changes_nothing_else(sandbox: Sandbox) -> None:
    program = """
def solve(n):
    total = 0
    for i in range(n):
        if i == 2:
            continue
        total += i
    else:
        total += sum(j for j in range(n) if j % 2)
    while total % 7:
        total += 1
    return total
"""
    names: dict = {}
    exec(program, names)
    inputs = [(n,) for n in range(8)]
    expected = [("value", str(names["solve"](*arguments))) for arguments in inputs]
    assert outcomes(sandbox, program, *inputs) == expected


def test_a_mode_that_is_missing_is_replaced_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "NAMESPACES", ("--no-such-namespace",))
    monkeypatch.setattr(sandbox_module, "SELF_TEST_INPUT", 20)
    tried: list[str] = []
    command = isolation.worker_command
    monkeypatch.setattr(
        sandbox_module, "worker_command", lambda mode: (tried.append(mode), command(mode))[1]
    )
    # The self-test does not have its result either, so that no mode is left.
    with pytest.raises(
        SandboxError, match=r"full: .*reduced: a harmless program failed.*minimal: a"
    ):
        Sandbox()
    assert tried == ["full", "reduced", "minimal"]


def test_the_reason_for_a_weaker_mode_is_that_of_the_system(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sandbox_module, "worker_settings", settings_without_libseccomp)
    with Sandbox() as opened:
        assert opened.mode == "minimal"
        assert opened.reasons() == (
            "full: it needs Linux and libseccomp (no such file); "
            "reduced: it needs Linux and libseccomp (no such file)"
        )
    with pytest.raises(SandboxError, match=r"full: it needs Linux and libseccomp"):
        Sandbox(mode="full")


def settings_without_libseccomp(mode: isolation.IsolationMode) -> dict:
    def fail() -> bytes:
        raise OSError("no such file")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(isolation, "compile_filter", fail)
        return isolation.worker_settings(mode)


@pytest.mark.parametrize(
    "forged",
    [
        b"",
        b"1",
        b"null",
        b'"stopped"',
        b"[]",
        b'{"steps": 0}',
        b'{"outcomes": 1, "steps": 0}',
        b'{"outcomes": [["value"]], "steps": 0}',
        b'{"outcomes": [["value", "1", "2"]], "steps": 0}',
        b'{"outcomes": [["value", "1"], ["value", "2"]], "steps": 0}',
        b'{"outcomes": [["value", "1"]], "steps": "many"}',
        b'{"outcomes": [["value", "1"]], "steps": 1e999}',
        b'{"outcomes": [["verdict", "1"]], "steps": 0}',
        b'{"outcomes": [[["value"], "1"]], "steps": 0}',
        b'{"outcomes": [["value", ["1"]]], "steps": 0}',
        b'{"outcomes": [["value", "no JSON"]], "steps": 0}',
        b'{"outcomes": [["value", "' + b"1" * 20_001 + b'"]], "steps": 0}',
        b'{"outcomes": [["value", "' + b"1" * 5000 + b'"]], "steps": 0}',
        b'{"outcomes": [["value", "' + b"[" * 20_000 + b'"]], "steps": 0}',
        b'{"outcomes": [["exception", "\\ud800"]], "steps": 0}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_a_result_that_is_none_is_not_believed(forged: bytes) -> None:
    assert read_run(forged, 1).stopped == "its result cannot be read"


def test_the_reason_of_a_program_for_its_end_is_shortened() -> None:
    assert read_run(b'{"stopped": "' + b"x" * 10**6 + b'"}', 1).stopped == "x" * 500
