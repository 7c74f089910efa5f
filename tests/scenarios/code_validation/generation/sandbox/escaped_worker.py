"""The worker of the sandbox, whose programs are handed what an escape from Python would give them.

So what the kernel holds is tested without relying on one of the tricks by which programs escape.
Root can raise limits of resources, so those that also keep programs from files and processes are
left out. It is started in the place of the worker, without the packages of the tests.
"""

import builtins
import ctypes
import gc
import importlib.util
import os
import resource
import signal
import socket
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

FOLDER = "nip/scenarios/code_validation/generation/sandbox"


def load_worker() -> ModuleType:
    path = Path(__file__).parents[5] / FOLDER / "worker.py"
    spec = importlib.util.spec_from_file_location("worker", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


worker = load_worker()
candidate_program = worker.candidate_program
restricted_globals = candidate_program.program_globals
HANDED = (builtins, ctypes, gc, os, resource, signal, socket, sys, time)


def all_globals(steps: Any) -> dict[str, Any]:
    handed = {module.__name__: module for module in HANDED}
    return restricted_globals(steps) | handed | {"__builtins__": builtins}


def limit_memory_and_time() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (worker.MEMORY_BYTES, worker.MEMORY_BYTES))
    signal.setitimer(signal.ITIMER_PROF, worker.CPU_SECONDS)
    resource.setrlimit(resource.RLIMIT_CPU, (1, 1))


candidate_program.refuse_events = lambda *_: None
candidate_program.program_globals = all_globals
worker.limit_resources = limit_memory_and_time
worker.CPU_SECONDS = 0.3
worker.WALL_SECONDS = 1
worker.MEMORY_BYTES = 192 * 2**20

if __name__ == "__main__":
    worker.main()
