"""Sandboxes with each layer of the isolation, and a worker whose programs escaped already."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nip.scenarios.code_validation.generation.sandbox import isolation, sandbox
from nip.scenarios.code_validation.generation.sandbox.sandbox import Sandbox, SandboxError

ESCAPED_WORKER = Path(__file__).with_name("escaped_worker.py")

LAYERS = ("full", "reduced", "namespaces", "minimal")
"""The modes of isolation, and the namespaces of ``full`` without its filter of system calls."""


@contextmanager
def open_sandbox(layer: str, escaped: bool = True) -> Iterator[Sandbox]:
    """Open a sandbox with one layer, or skip the test if this machine does not have it."""
    mode: isolation.IsolationMode = "full" if layer == "namespaces" else layer  # type: ignore[assignment]
    with pytest.MonkeyPatch.context() as patch:
        if escaped:
            patch.setattr(isolation, "WORKER", ESCAPED_WORKER)
        if layer == "namespaces":
            no_filter = {"own_namespaces": True, "filter": None}
            patch.setattr(sandbox, "worker_settings", lambda _: no_filter)
        try:
            # The seed identifies the processes of this sandbox.
            opened = Sandbox(hash_seed=random.randrange(1, 2**32), mode=mode)
        except SandboxError as error:
            pytest.skip(str(error))
        with opened:
            yield opened


def processes_of(opened: Sandbox) -> set[int]:
    """Return the processes that inherited the environment of a sandbox."""
    mark = f"PYTHONHASHSEED={opened._hash_seed}\0".encode()
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes() and "Z" not in state_of(folder):
                found.add(int(folder.name))
        except OSError:
            continue
    return found


def state_of(folder: Path) -> str:
    return (folder / "stat").read_text().rpartition(")")[2].split()[0]
