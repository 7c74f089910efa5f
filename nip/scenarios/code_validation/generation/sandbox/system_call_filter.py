"""The system calls that a candidate program may make, as a filter for the kernel (seccomp).

libseccomp, which is part of every common Linux distribution, translates the list for the processor
and the kernel.
"""

import ctypes
import os
from functools import cache

from nip.scenarios.code_validation.generation.sandbox.worker import RESULT

MEMORY_CALLS = ("brk", "madvise", "mmap", "mmap2", "mprotect", "mremap", "munmap")

HARMLESS_CALLS = (
    *("exit", "exit_group", "restart_syscall", "rt_sigreturn"),
    *("futex", "futex_time64", "sched_yield"),
    *("clock_gettime", "clock_gettime64", "getpid", "getrandom", "gettid", "gettimeofday", "time"),
)
"""Calls that reach nothing outside of the process. A program needs few of them, but which ones
depends on the C library and the processor."""

# From <seccomp.h>.
SCMP_ACT_KILL_PROCESS, SCMP_ACT_ALLOW = 0x80000000, 0x7FFF0000
SCMP_CMP_EQ = 4
UNKNOWN_CALL = -1


class _ArgumentRule(ctypes.Structure):
    """Comparison of one argument of a call (``struct scmp_arg_cmp``)."""

    _fields_ = (
        ("argument", ctypes.c_uint),
        ("comparison", ctypes.c_int),
        ("value", ctypes.c_uint64),
        ("unused", ctypes.c_uint64),
    )


@cache
def compile_filter() -> bytes:
    """Return the filter as instructions for the kernel.

    It ends a process at any call but those above, and ``write`` to ``RESULT``.

    Raises
    ------
    OSError
        If libseccomp is not installed, or fails.
    """
    library = load_library()
    context = library.seccomp_init(SCMP_ACT_KILL_PROCESS)
    try:
        for name in (*MEMORY_CALLS, *HARMLESS_CALLS):
            _allow(library, context, name)
        _allow(library, context, "write", _ArgumentRule(0, SCMP_CMP_EQ, RESULT, 0))
        # In memory, because a machine may have no folder for temporary files.
        with os.fdopen(os.memfd_create("filter"), "w+b") as file:
            _check(library.seccomp_export_bpf(context, file.fileno()))
            file.seek(0)
            return file.read()
    finally:
        library.seccomp_release(context)


def load_library() -> ctypes.CDLL:
    """Load libseccomp, and declare the types of its functions."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = [ctypes.c_uint32]
    library.seccomp_rule_add_array.argtypes = [
        *(ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint),
        ctypes.POINTER(_ArgumentRule),
    ]
    library.seccomp_export_bpf.argtypes = [ctypes.c_void_p, ctypes.c_int]
    library.seccomp_release.argtypes = [ctypes.c_void_p]
    return library


def _allow(library: ctypes.CDLL, context: int, name: str, *rules: _ArgumentRule) -> None:
    call = library.seccomp_syscall_resolve_name(name.encode())
    # Some calls exist only on some processors, or in newer versions of the library.
    if call != UNKNOWN_CALL:
        array = (_ArgumentRule * len(rules))(*rules)
        _check(library.seccomp_rule_add_array(context, SCMP_ACT_ALLOW, call, len(rules), array))


def _check(result: int) -> None:
    if result < 0:
        raise OSError(-result, f"libseccomp: {os.strerror(-result)}")
