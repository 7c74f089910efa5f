"""Isolation of candidate programs by the kernel: its modes, and what each of them holds."""

import base64
import shutil
import sys
from pathlib import Path
from typing import Any, Literal, get_args

from nip.scenarios.code_validation.generation.sandbox.system_call_filter import compile_filter

IsolationMode = Literal["full", "reduced", "minimal"]
"""How candidate programs are isolated."""

MODES: tuple[IsolationMode, ...] = get_args(IsolationMode)
"""All modes, the strongest first."""

DESCRIPTIONS: dict[IsolationMode, str] = {
    "full": "a filter of system calls, and namespaces without files, network and other processes",
    "reduced": "a filter of system calls",
    "minimal": (
        "no help of the kernel except limits on resources: a program that escapes from its "
        "function can read and delete your files, use the network, start processes, and forge "
        "the results of others"
    ),
}
"""What isolates programs in each mode, and what ``minimal`` does not hold."""

NAMESPACES = (
    "--user",
    "--map-root-user",
    "--mount",
    "--pid",
    "--net",
    "--ipc",
    "--uts",
    "--cgroup",
)

WORKER = Path(__file__).with_name("worker.py")

# No installed packages and no folders of the caller.
WORKER_OPTIONS = ("-S", "-s", "-P", "-B")


class IsolationUnavailableError(Exception):
    """A mode of isolation is missing on this machine; the text gives the reason."""


def worker_command(mode: IsolationMode) -> list[str]:
    """Return the command line of the process that runs programs.

    Raises
    ------
    IsolationUnavailableError
        If a program that it needs is not installed.
    """
    worker = [sys.executable, *WORKER_OPTIONS, str(WORKER)]
    if mode != "full":
        return worker
    if sys.platform != "linux" or (unshare := shutil.which("unshare")) is None:
        raise IsolationUnavailableError("it needs Linux and unshare (package util-linux)")
    # The worker is the first process of its PID namespace: all others in it end with it.
    return [unshare, *NAMESPACES, "--fork", "--kill-child", "--", *worker]


def worker_settings(mode: IsolationMode) -> dict[str, Any]:
    """Return what the worker has to do to isolate itself and its children.

    Raises
    ------
    IsolationUnavailableError
        If a library that it needs is not installed.
    """
    if mode == "minimal":
        return {"own_namespaces": False, "filter": None}
    try:
        filter_code = base64.b64encode(compile_filter()).decode()
    except OSError as error:
        raise IsolationUnavailableError(f"it needs Linux and libseccomp ({error})") from error
    return {"own_namespaces": mode == "full", "filter": filter_code}
