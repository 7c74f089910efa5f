"""The worker answers requests one by one, and reads from a program within limits only."""

import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nip.scenarios.code_validation.generation.sandbox import worker
from nip.scenarios.code_validation.generation.sandbox.isolation import WORKER, WORKER_OPTIONS
from nip.scenarios.code_validation.generation.sandbox.worker import serve

NOT_ISOLATED = {"own_namespaces": False, "filter": None}


def framed(content: bytes) -> bytes:
    return struct.pack("!I", len(content)) + content


def conversation(folder: Path, *requests: tuple[dict[str, Any], bytes]) -> list[Any]:
    """Let the worker answer requests, each with what follows it, in this process."""
    source, sink = folder / "requests", folder / "answers"
    source.write_bytes(
        b"".join(framed(json.dumps(request).encode()) + content for request, content in requests)
    )
    serve(os.open(source, os.O_RDONLY), os.open(sink, os.O_WRONLY | os.O_CREAT))
    content, answers = sink.read_bytes(), []
    while content:
        (size,) = struct.unpack("!I", content[:4])
        answers.append(json.loads(content[4 : 4 + size]))
        content = content[4 + size :]
    return answers


def test_programs_are_run_on_the_inputs_that_were_set_last(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    runs = []

    def run_in_child(request: dict[str, Any], inputs: list[str], calls: bytes | None) -> bytes:
        runs.append((request["max_steps"], inputs, calls))
        return b"{}"

    # In this process instead of a child, which would read the program.
    monkeypatch.setattr(worker, "run_in_child", run_in_child)
    one, other = b'["[1]", "[2]", "[3]"]', b'["[7]"]'
    run = {"program": 0, "num_inputs": 2, "max_steps": 100}
    answers = conversation(
        tmp_path,
        (NOT_ISOLATED, b""),
        ({"inputs": len(one)}, one),
        (run, b""),
        ({"inputs": len(other)}, other),
        (run, b""),
    )
    assert answers == [{}] * 5
    assert runs == [(100, ["[1]", "[2]"], None), (100, ["[7]"], None)]


def test_a_part_of_the_isolation_that_the_kernel_refuses_is_reported_and_nothing_is_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse() -> None:
        raise worker.KernelError("mount: Operation not permitted")

    monkeypatch.setattr(worker, "enter_empty_root", refuse)
    answers = conversation(tmp_path, ({**NOT_ISOLATED, "own_namespaces": True}, b""), ({}, b""))
    assert answers == [{"error": "mount: Operation not permitted"}]


def writing(program: str, keep_open: bool = False) -> tuple[int, int]:
    """Start a process that writes to a pipe; return its reading end and the process."""
    reading_end, writing_end = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", program], stdout=writing_end, start_new_session=True
    )
    # The worker collects its exit status.
    process.returncode = 0
    if not keep_open:
        os.close(writing_end)
    return reading_end, process.pid


def test_reading_ends_with_the_process_also_if_its_pipe_is_kept_open() -> None:
    reading_end, child = writing(
        "print('x' * 100_000, end=''); raise SystemExit(3)", keep_open=True
    )
    assert worker.read_result(reading_end, child) == b"x" * 100_000
    assert os.waitstatus_to_exitcode(worker.end_processes(child)) == 3


ENDLESS = "import time; time.sleep(600)"


def test_reading_ends_at_the_limit_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "WALL_SECONDS", 0.2)
    reading_end, child = writing(ENDLESS)
    assert worker.read_result(reading_end, child) == b""
    assert os.waitstatus_to_exitcode(worker.end_processes(child)) == -signal.SIGKILL


def test_reading_ends_at_the_limit_of_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "MAX_RESULT_BYTES", 1000)
    reading_end, child = writing(f"print('x' * 10**7); {ENDLESS}")
    assert 1000 < len(worker.read_result(reading_end, child)) <= 1000 + 2**16
    assert os.waitstatus_to_exitcode(worker.end_processes(child)) == -signal.SIGKILL


def test_the_worker_imports_no_packages_and_nothing_that_reaches_far() -> None:
    program = (
        f"import runpy, sys; runpy.run_path({str(WORKER)!r}, run_name='worker');"
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


def test_the_worker_ends_if_a_program_was_not_read_because_it_would_be_read_as_a_request(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(worker, "be_child", lambda *_: os._exit(0))
    forged = framed(b'{"inputs": 2}') + b"[]"
    run = {"program": len(forged), "num_inputs": 0, "max_steps": 100}
    assert conversation(tmp_path, (NOT_ISOLATED, b""), (run, forged)) == [{}]
