"""The process that runs candidate programs, each in an isolated child process.

It is started by path and imports only the standard library, so that forking it is cheap. A
candidate is assumed to take over its own process: nothing in it matters but the inputs of the
problem. Expected outputs, the environment, open files and the texts of other programs were never in
its memory.

Requests arrive at standard input, answers leave through standard output, each with its length in
four bytes before it. The first request, ``{"filter", "own_namespaces"}``, isolates this process;
the answer is ``{}`` or ``{"error": reason}``. After that:

* ``{"inputs": size}``, followed by a JSON list of the JSON texts of the arguments to run programs
  on; answer ``{}``.
* ``{"program": size, "num_inputs", "max_steps"}``, followed by a program; answer
  ``{"outcomes": [[kind, text], ...], "steps"}`` or ``{"stopped": reason}``, or whatever else the
  program wrote in its place.
"""

import base64
import contextlib
import ctypes
import gc
import importlib.util
import json
import math
import os
import resource
import select
import signal
import struct
import time
import types
from pathlib import Path
from typing import Any, NoReturn

CPU_SECONDS = 3
WALL_SECONDS = 60
MEMORY_BYTES = 512 * 2**20
MAX_RESULT_BYTES = 8 * 2**20
"""Size of the results for all inputs together, above which a program is stopped."""

MOST_DESCRIPTORS = 64
"""Upper bound of the file descriptors that this process has open."""

RESULT = 1
"""File descriptor of a child to which its result is written, the only one that is open."""

LENGTH = struct.Struct("!I")

TOO_MUCH_MEMORY = json.dumps({"stopped": "it needs too much memory"}).encode()
"""Result of a program whose memory is exhausted."""

CHECK_SECONDS = 0.05
"""Interval of checks whether a child has ended while another process keeps its pipe open."""

# From <linux/prctl.h>, <linux/seccomp.h>, <linux/capability.h> and <sys/mount.h>.
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
SIZE_OF_INSTRUCTION = 8
CAPABILITY_VERSION_3 = 0x20080522
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8


def load_neighbour(name: str) -> types.ModuleType:
    """Load a module of this folder, which is not on the search path."""
    path = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


candidate_program = load_neighbour("candidate_program")


class KernelError(Exception):
    """The system refused a part of the isolation."""


def ask_kernel(function: str, *arguments: Any) -> None:
    """Call a function of the C library that returns 0 if it succeeds."""
    # As wide as the registers, because prctl refuses arguments whose unused bits are set.
    wide = [ctypes.c_ulong(each) if isinstance(each, int) else each for each in arguments]
    if getattr(ctypes.CDLL(None, use_errno=True), function)(*wide) != 0:
        raise KernelError(f"{function}: {os.strerror(ctypes.get_errno())}")


def enter_empty_root() -> None:
    """Replace the root folder by an empty one that nobody can write, and drop all capabilities.

    It needs a mount namespace of its own, whose capabilities are of no use to another one.
    """
    flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC
    ask_kernel("mount", b"none", b"/tmp", b"tmpfs", flags, b"size=4k,mode=555")
    os.chroot("/tmp")
    os.chdir("/")
    header = struct.pack("Ii", CAPABILITY_VERSION_3, 0)
    ask_kernel("capset", header, bytes(2 * struct.calcsize("III")))


def install_filter(code: bytes) -> None:
    """Restrict this process for ever to the system calls that a seccomp filter allows."""
    instructions = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: the number of instructions, and where they are.
    program = struct.pack("HP", len(code) // SIZE_OF_INSTRUCTION, ctypes.addressof(instructions))
    ask_kernel("prctl", PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0)


def isolate(settings: dict[str, Any]) -> bytes | None:
    """Isolate this process, and return the filter for its children."""
    if settings["own_namespaces"]:
        enter_empty_root()
    if settings["filter"] is None:
        return None
    ask_kernel("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return base64.b64decode(settings["filter"])


def be_child(
    writing_end: int,
    receipt: int,
    request: dict[str, Any],
    inputs: list[str],
    system_calls: bytes | None,
) -> NoReturn:
    """Run a program in the child process, write its result, and exit."""
    try:
        os.setsid()
        # It is read here so that no other program finds it in the memory that it inherits.
        program = read_exactly(0, request["program"]).decode(errors="surrogatepass")
        os.write(receipt, b"1")
        os.dup2(writing_end, RESULT)
        os.close(0)
        os.closerange(RESULT + 1, MOST_DESCRIPTORS)
        limit_resources()
        if system_calls is not None:
            install_filter(system_calls)
        result = candidate_program.run_audited(program, inputs, request["max_steps"])
        content = json.dumps(result, ensure_ascii=False).encode(errors="replace")
        while content:
            content = content[os.write(RESULT, content) :]
    except MemoryError:
        # The traceback keeps the memory of the program: there may be none left for anything new.
        os.write(RESULT, TOO_MUCH_MEMORY)
    finally:
        os._exit(0)


def run_in_child(request: dict[str, Any], inputs: list[str], system_calls: bytes | None) -> bytes:
    """Fork a child process for a program and return what it wrote, within limits.

    Raises ``EOFError`` if the child ended before it had read the program, for want of memory for
    example: what is left of the program would be read as the next request.
    """
    reading_end, writing_end = os.pipe()
    receipt, signing_end = os.pipe()
    child = os.fork()
    if child == 0:
        be_child(writing_end, signing_end, request, inputs, system_calls)
    os.close(writing_end)
    os.close(signing_end)
    content = read_result(reading_end, child)
    os.close(reading_end)
    status = end_processes(child)
    has_read = os.read(receipt, 1)
    os.close(receipt)
    if not has_read:
        raise EOFError
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGSYS:
        return stopped("it is not allowed: a system call")
    if len(content) > MAX_RESULT_BYTES:
        return stopped(f"its results have more than {MAX_RESULT_BYTES} bytes")
    return content or stopped("it was ended: too much time or memory")


def stopped(reason: str) -> bytes:
    """Return the answer for a program that was stopped."""
    return json.dumps({"stopped": reason}).encode()


def read_result(descriptor: int, child: int) -> bytes:
    """Read what a child writes until it ends, or exceeds a limit of time or size."""
    deadline = time.monotonic() + WALL_SECONDS
    parts, size = [], 0
    while size <= MAX_RESULT_BYTES and (left := deadline - time.monotonic()) > 0:
        if select.select([descriptor], [], [], min(left, CHECK_SECONDS))[0]:
            part = os.read(descriptor, 1 << 16)
            if not part:
                break
            parts.append(part)
            size += len(part)
        elif has_ended(child):
            break
    return b"".join(parts)


def has_ended(child: int) -> bool:
    """Return whether a child has ended, without collecting its exit status."""
    # On macOS, only newer versions of Python have it; the limit of time has to suffice there.
    if not hasattr(os, "waitid"):
        return False
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def end_processes(child: int) -> int:
    """Kill a child and the processes that it started; return its status."""
    # The first process of a PID namespace reaches all others in it, and nothing outside. Elsewhere,
    # a process that left the group of the child is not reached.
    is_first = os.getpid() == 1
    for target in (-1,) if is_first else (child, -child):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(target, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(ChildProcessError):
        while is_first:
            os.waitpid(-1, 0)
    return status


def limit_resources() -> None:
    """Limit the resources of this process; limits unknown to the system are skipped."""
    limits = {
        "RLIMIT_AS": MEMORY_BYTES,
        "RLIMIT_CPU": math.ceil(CPU_SECONDS),
        "RLIMIT_CORE": 0,
        "RLIMIT_FSIZE": 0,
        "RLIMIT_NOFILE": 0,
        "RLIMIT_NPROC": 0,
    }
    for name, limit in limits.items():
        with contextlib.suppress(AttributeError, ValueError, OSError):
            resource.setrlimit(getattr(resource, name), (limit, limit))
    # The default action of these signals ends the process, even within one long operation.
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    signal.setitimer(signal.ITIMER_REAL, WALL_SECONDS)


def read_exactly(descriptor: int, size: int) -> bytes:
    """Read a number of bytes; raise EOFError if there are fewer."""
    parts = []
    while size:
        part = os.read(descriptor, min(size, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def read_request(descriptor: int) -> dict[str, Any]:
    """Read the next request, without what follows it."""
    (size,) = LENGTH.unpack(read_exactly(descriptor, LENGTH.size))
    return dict(json.loads(read_exactly(descriptor, size)))


def answer(descriptor: int, content: bytes) -> None:
    """Write an answer."""
    content = LENGTH.pack(len(content)) + content
    while content:
        content = content[os.write(descriptor, content) :]


def serve(requests: int, answers: int) -> None:
    """Answer one request after the other, until there are no more."""
    try:
        system_calls = isolate(read_request(requests))
    except (KernelError, OSError) as error:
        return answer(answers, json.dumps({"error": str(error)}).encode())
    answer(answers, b"{}")
    inputs: list[str] = []
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            request = read_request(requests)
            if "inputs" in request:
                inputs = json.loads(read_exactly(requests, request["inputs"]))
                answer(answers, b"{}")
            else:
                chosen = inputs[: request["num_inputs"]]
                answer(answers, run_in_child(request, chosen, system_calls))
    return None


def main() -> None:
    """Serve requests from standard input."""
    answers = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (1, 2):
        os.dup2(nothing, descriptor)
    os.close(nothing)
    gc.disable()
    gc.freeze()
    serve(0, answers)


if __name__ == "__main__":
    main()
