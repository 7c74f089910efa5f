"""The connection to the worker has limits of time and size, whatever the other side does."""

import sys
from collections.abc import Callable, Iterator

import pytest

from nip.scenarios.code_validation.generation.sandbox.worker_process import (
    WorkerLostError,
    WorkerProcess,
)

ECHO = """
import os
size = int.from_bytes(os.read(0, 4), "big")
request = os.read(0, size)
content = b""
while not content.endswith(b"end"):
    content += os.read(0, 1 << 16)
os.write(1, (len(request) + len(content)).to_bytes(4, "big") + request + content)
"""


@pytest.fixture
def start() -> Iterator[Callable[[str], WorkerProcess]]:
    started = []

    def start_process(program: str) -> WorkerProcess:
        started.append(WorkerProcess([sys.executable, "-S", "-c", program], {}))
        return started[-1]

    yield start_process
    for process in started:
        process.close(patience=0)


def test_an_answer_is_read_whole(start: Callable[[str], WorkerProcess]) -> None:
    # More than a pipe takes at once.
    content = b"x" * 500_000 + b"end"
    assert start(ECHO).ask(b"request", content, 60, 10**6) == b"request" + content


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import time; time.sleep(600)", "did not answer in time"),
        ("import os; os.write(1, b'\\0\\0\\0'); os.read(0, 10**9); os.read(0, 1)", "in time"),
        ("import os; os.write(1, b'\\0\\0\\0\\x09xx'); os.read(0, 9); os._exit(0)", "exit code"),
        ("import os; os.write(1, b'\\x7f' * 10**6)", "announced an answer of 2139062143 bytes"),
        ("1 / 0", "ended with exit code 1: ZeroDivisionError: division by zero"),
    ],
)
def test_a_process_that_does_not_answer_is_lost(
    start: Callable[[str], WorkerProcess], program: str, message: str
) -> None:
    with pytest.raises(WorkerLostError, match=message):
        start(program).ask(b"request", b"", 0.5, 100)


def test_a_request_that_is_not_taken_is_given_up(start: Callable[[str], WorkerProcess]) -> None:
    process = start("import time; time.sleep(600)")
    with pytest.raises(WorkerLostError, match="did not answer in time"):
        process.ask(b"request", b"x" * 10**6, 0.1, 100)
    with pytest.raises(WorkerLostError):
        process.ask(b"request", b"", 0.1, 100)
