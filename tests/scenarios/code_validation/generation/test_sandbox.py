"""The sandbox runs programs faithfully and isolates them from the system."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nip.scenarios.code_validation.generation.sandbox import (
    WORKER,
    WORKER_OPTIONS,
    Outcome,
    Sandbox,
    SandboxError,
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


# Climbs out of the program into the worker, which knows `os` and all builtins.
ESCAPE = """
def climb():
    frame = generator.gi_frame
    while frame is not None and "serve" not in frame.f_globals:
        frame = frame.f_back
    yield frame.f_globals
generator = climb()
def solve(x):
    outside = next(generator)
    return {attempt}
"""


@pytest.mark.parametrize(
    ("attempt", "event"),
    [
        ("outside['os'].system('true')", "os.system"),
        ("outside['os'].fork()", "os.fork"),
        ("outside['os'].remove('/nowhere')", "os.remove"),
        ("outside['os'].listdir('/')", "os.listdir"),
        ("outside['builtins'].open('/etc/passwd')", "open"),
        ("outside['builtins'].open('/tmp/x', 'w')", "open"),
        ("outside['builtins'].__import__('socket').socket()", "import"),
        ("outside['builtins'].__import__('subprocess')", "import"),
        ("outside['resource'].setrlimit(0, (1, 1))", "resource.setrlimit"),
    ],
)
def test_even_a_program_that_climbs_out_reaches_nothing(
    sandbox: Sandbox, attempt: str, event: str | None
) -> None:
    sandbox.set_inputs([(0,)])
    run = sandbox.run(ESCAPE.format(attempt=attempt), 1000)
    assert run.stopped == f"it is not allowed: {event}"


# Writes an answer of the worker to all that is open, and says how often that went well.
FORGERY = """
def solve(x):
    forged = b'{"outcomes": [["value", "99"]], "steps": 0}\\n'
    outside = next(generator)
    written = 0
    for descriptor in range(3, 40):
        try:
            written += outside["os"].write(descriptor, forged) > 0
        except OSError:
            pass
    return written
"""


def test_a_program_cannot_answer_in_the_place_of_the_worker(sandbox: Sandbox) -> None:
    sandbox.set_inputs([(5,)])
    # Its own result is all that it can spoil, which is then not readable.
    forger = sandbox.run(ESCAPE.partition("def solve")[0] + FORGERY, 1000)
    assert forger.stopped == "it was ended: too much time or memory"
    assert sandbox.run("def solve(x):\n    return x", 1000).outcomes == (Outcome("value", "5"),)


@pytest.mark.parametrize(
    "forged",
    [
        '{"outcomes": [["value", "1"], ["value", "2"]], "steps": 0}',
        '{"outcomes": [["value"]], "steps": 0}',
        '{"outcomes": 1, "steps": 0}',
        '{"steps": 0}',
    ],
)
def test_a_result_that_is_none_is_not_believed(sandbox: Sandbox, forged: str) -> None:
    program = f"""
def solve(x):
    os = next(generator)["os"]
    for descriptor in range(3, 40):
        try:
            os.write(descriptor, {forged.encode()!r})
        except OSError:
            pass
    os._exit(0)
"""
    sandbox.set_inputs([(0,)])
    run = sandbox.run(ESCAPE.partition("def solve")[0] + program, 1000)
    assert run.stopped == "its result cannot be read"


@pytest.mark.parametrize("name", ["mkfifo", "mknod"])
def test_a_program_that_climbs_out_leaves_no_file(
    sandbox: Sandbox, tmp_path: Path, name: str
) -> None:
    sandbox.set_inputs([(0,)])
    sandbox.run(ESCAPE.format(attempt=f"outside['os'].{name}({str(tmp_path / 'x')!r})"), 1000)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("def solve(x):\n    values = [0]\n    while True:\n        values += values", "memory"),
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


def test_a_long_operation_of_the_interpreter_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = WORKER.read_text()
    assert "CPU_SECONDS = 3\n" in text
    impatient = tmp_path / "worker.py"
    impatient.write_text(text.replace("CPU_SECONDS = 3\n", "CPU_SECONDS = 0.05\n"))
    monkeypatch.setattr("nip.scenarios.code_validation.generation.sandbox.WORKER", impatient)
    with Sandbox() as opened:
        reason = stopped(opened, "def solve(x):\n    return 10 ** 10 ** 9")
        assert reason == "it was ended: too much time or memory"
        assert outcomes(opened, "def solve(x):\n    return x", (7,)) == [("value", "7")]


def test_a_lost_worker_is_reported() -> None:
    with Sandbox() as opened:
        opened._process.kill()
        with pytest.raises(SandboxError, match=r"exit code -9\).*use fewer workers"):
            opened.set_inputs([(1,)])


def test_the_worker_finds_no_packages() -> None:
    program = (
        f"import runpy, sys, os; names = runpy.run_path({str(WORKER)!r}, run_name='worker');"
        "unwanted = {'nip', 'numpy', 'torch', 'pickle', 'socket', 'subprocess'};"
        "print(sorted(unwanted & set(sys.modules)))"
    )
    finished = subprocess.run(
        [sys.executable, *WORKER_OPTIONS, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "0"},
    )
    assert finished.stdout == "[]\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such networks")
def test_the_worker_says_truly_whether_it_left_the_network(sandbox: Sandbox) -> None:
    own, other = (
        Path(f"/proc/{process}/ns/net").readlink() for process in ("self", sandbox._process.pid)
    )
    assert sandbox.has_left_the_network == (own != other)


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
