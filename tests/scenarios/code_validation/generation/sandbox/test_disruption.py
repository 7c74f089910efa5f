"""Programs that will not end, write too much, or attack the processes that wait for them.

Each costs its own result at most: the next program is run as if nothing had happened. The programs
took over their process; see ``escaped_worker``, whose limits are low.
"""

import sys
import time
from collections.abc import Iterator

import pytest

from nip.scenarios.code_validation.generation.sandbox import sandbox as sandbox_module
from nip.scenarios.code_validation.generation.sandbox.sandbox import Sandbox
from tests.scenarios.code_validation.generation.sandbox.layers import (
    LAYERS,
    open_sandbox,
    processes_of,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="candidates are forked")

REFUSED = "it is not allowed: a system call"
ENDED = "it was ended: too much time or memory"
UNREADABLE = "its result cannot be read"
TOO_MUCH_OUTPUT = "its results have more than 8388608 bytes"
TOO_MUCH_MEMORY = "it needs too much memory"

FORGED = '{"outcomes": [["value", "99"]], "steps": 0}'


@pytest.fixture(scope="module", params=LAYERS)
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with open_sandbox(request.param) as opened:
        yield opened


# What a program does, and why it is stopped without the filter of system calls and with it.
DISRUPTIONS = {
    "one_long_operation": ("return 10 ** 10 ** 8", ENDED, ENDED),
    "catastrophic_pattern": (
        "import re\n    return re.match('(a+)+b', 'a' * 40)",
        ENDED,
        ENDED,
    ),
    "endless_loop_of_c": (
        "import itertools, collections\n"
        "    return collections.deque(itertools.repeat(0), maxlen=0)",
        ENDED,
        ENDED,
    ),
    "ignored_signals": (
        "for each in (signal.SIGPROF, signal.SIGXCPU, signal.SIGALRM, signal.SIGTERM):\n"
        "        signal.signal(each, signal.SIG_IGN)\n    return 10 ** 10 ** 8",
        ENDED,
        REFUSED,
    ),
    "stopped_by_itself": ("os.kill(os.getpid(), signal.SIGSTOP)", ENDED, REFUSED),
    "sleeping": ("time.sleep(600)", ENDED, REFUSED),
    "waiting_for_a_lock": (
        "lock = sys.modules['_thread'].allocate_lock()\n    lock.acquire()\n    lock.acquire()",
        ENDED,
        ENDED,
    ),
    "aborted": ("os.abort()", ENDED, REFUSED),
    "segmentation_fault": ("ctypes.string_at(0)", ENDED, ENDED),
    "deep_recursion": (
        "sys.setrecursionlimit(10**9)\n    f = lambda: [*map(lambda _: f(), [0])]\n    return f()",
        ENDED,
        ENDED,
    ),
    "left_without_a_result": ("os._exit(0)", ENDED, ENDED),
    "closed_descriptors": ("os.closerange(0, 1000)", ENDED, REFUSED),
    "much_memory": ("return len(bytearray(10**9))", TOO_MUCH_MEMORY, TOO_MUCH_MEMORY),
    "much_memory_in_small_parts": (
        "return sum(map(len, [bytes(2**20) for _ in range(1000)]))",
        TOO_MUCH_MEMORY,
        TOO_MUCH_MEMORY,
    ),
    "much_output": (
        "for _ in range(700):\n        os.write(1, b'x' * 10**6)",
        TOO_MUCH_OUTPUT,
        TOO_MUCH_OUTPUT,
    ),
    "output_without_an_end": (
        "os.write(1, b'[')\n    os._exit(0)",
        UNREADABLE,
        UNREADABLE,
    ),
    "nested_output": ("os.write(1, b'[' * 10**6)\n    os._exit(0)", UNREADABLE, UNREADABLE),
    "two_results": (f"os.write(1, b'{FORGED}')", UNREADABLE, UNREADABLE),
    "writing_everywhere": (
        "for descriptor in range(2, 60):\n"
        "        try:\n"
        f"            os.write(descriptor, b'{FORGED}')\n"
        "        except OSError:\n"
        "            pass\n"
        "    return 1",
        None,
        REFUSED,
    ),
    "child_that_keeps_the_pipe_open": (
        "if os.fork():\n        os._exit(0)\n    time.sleep(1)\n    os._exit(0)",
        ENDED,
        REFUSED,
    ),
}


@pytest.mark.parametrize("name", DISRUPTIONS)
def test_a_disruptive_program_costs_its_own_result_only(
    sandbox: Sandbox, request: pytest.FixtureRequest, name: str
) -> None:
    layer = request.node.callspec.params["sandbox"]
    code, without_filter, with_filter = DISRUPTIONS[name]
    processes = processes_of(sandbox)
    sandbox.set_inputs([(5,)])
    run = sandbox.run(f"def solve(x):\n    {code}", 1000)
    assert run.stopped == (with_filter if layer in ("full", "reduced") else without_filter)
    assert run.stopped is not None or run.outcomes[0].kind == "value"
    assert sandbox.run("def solve(x):\n    return x", 10).outcomes[0].value == 5
    # The worker did not have to be restarted, and nothing else is left but by a mode without
    # namespaces and filter.
    assert processes_of(sandbox) == processes or layer == "minimal"


def test_a_program_writes_its_own_result_but_no_other() -> None:
    program = f"def solve(x):\n    os.write(1, b'{FORGED}')\n    os._exit(0)"
    with open_sandbox("minimal") as opened:
        opened.set_inputs([(5,)])
        assert opened.run(program, 10).outcomes[0].value == 99
        assert opened.run("def solve(x):\n    return x", 10).outcomes[0].value == 5


ATTACKS = {
    "kill": "os.kill(os.getppid(), signal.SIGKILL)",
    "stop": "os.kill(os.getppid(), signal.SIGSTOP)",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_worker_that_a_program_ends_is_replaced(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(sandbox_module, "ANSWER_SECONDS", 1)
    with open_sandbox("minimal") as opened:
        opened.set_inputs([(5,)])
        run = opened.run(f"def solve(x):\n    {ATTACKS[name]}\n    time.sleep(5)", 10)
        assert run.stopped == "it ended the process that runs programs, twice"
        # A busy machine may need longer for an answer.
        monkeypatch.undo()
        assert opened.run("def solve(x):\n    return x", 10).outcomes[0].value == 5
        opened._worker._process.kill()
        opened.set_inputs([(6,)])
        assert opened.run("def solve(x):\n    return x", 10).outcomes[0].value == 6


def test_a_program_is_run_again_if_the_worker_was_lost_by_chance() -> None:
    with open_sandbox("minimal") as opened:
        opened.set_inputs([(5,)])
        opened._worker._process.kill()
        assert opened.run("def solve(x):\n    return x", 10).outcomes[0].value == 5


@pytest.mark.parametrize("layer", LAYERS)
def test_no_process_outlives_the_sandbox(layer: str) -> None:
    with open_sandbox(layer) as opened:
        assert processes_of(opened)
    assert not processes_of(opened)


@pytest.mark.parametrize("layer", ["full", "reduced"])
def test_no_process_outlives_a_process_that_made_the_sandbox_and_was_killed(layer: str) -> None:
    with open_sandbox(layer) as opened:
        # Closed by the system.
        opened._worker._process.stdin.close()
        deadline = time.monotonic() + 60
        while processes_of(opened) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not processes_of(opened)
