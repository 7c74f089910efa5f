"""What the kernel holds against a program that took over its process, in each mode.

The programs are handed all of Python. Every act is tried in all modes: in ``minimal`` it has to
succeed, which proves that it would do harm, and in the others it must not.
"""

import os
import platform
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from nip.scenarios.code_validation.generation.sandbox.sandbox import ProgramRun, Sandbox
from nip.scenarios.code_validation.generation.sandbox.system_call_filter import (
    HARMLESS_CALLS,
    MEMORY_CALLS,
    load_library,
)
from tests.scenarios.code_validation.generation.sandbox.layers import (
    LAYERS,
    open_sandbox,
    processes_of,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux is tested")

SECRET = "what the file contains"
SECRET_VARIABLE = "what the environment contains"
REFUSED = "it is not allowed: a system call"
IDENTITY = "def solve(x):\n    return x"


@pytest.fixture(scope="module", params=LAYERS)
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with open_sandbox(request.param) as opened:
        yield opened


@pytest.fixture
def layer(request: pytest.FixtureRequest, sandbox: Sandbox) -> str:
    return str(request.node.callspec.params["sandbox"])


class Canaries:
    """Things outside of the sandbox that a program might reach."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "canary"
        self.file.write_text(SECRET)
        self.file.chmod(0o644)
        self.victim = subprocess.Popen(
            [sys.executable, "-S", "-c", "import time; time.sleep(600)"],
            env={"KEY": SECRET_VARIABLE},
        )
        self.sockets = {
            "tcp": socket.create_server(("127.0.0.1", 0)),
            "udp": socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
            "unix": socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM),
            "abstract": socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM),
        }
        self.sockets["udp"].bind(("127.0.0.1", 0))
        self.sockets["unix"].bind(str(folder / "socket"))
        self.sockets["abstract"].bind(f"\0nip-canary-{os.getpid()}")
        self.before = self.state()

    def state(self) -> list[tuple[str, int, int]]:
        """Return names, permissions and sizes of what is in the folder."""
        entries = sorted(self.folder.iterdir())
        return [(each.name, each.lstat().st_mode, each.lstat().st_size) for each in entries]

    def addresses(self) -> dict[str, object]:
        """Return what programs are told about the canaries."""
        return {
            "folder": str(self.folder),
            "file": str(self.file),
            "victim": self.victim.pid,
            "tcp": self.sockets["tcp"].getsockname()[1],
            "udp": self.sockets["udp"].getsockname()[1],
            "unix": str(self.folder / "socket"),
            "abstract": f"\0nip-canary-{os.getpid()}",
        }

    def close(self) -> None:
        self.victim.kill()
        self.victim.wait()
        for each in self.sockets.values():
            each.close()


@pytest.fixture
def canaries(tmp_path: Path) -> Iterator[Canaries]:
    made = Canaries(tmp_path)
    yield made
    made.close()


Harm = Callable[[Canaries, ProgramRun], bool]


def changed(canaries: Canaries, _: ProgramRun) -> bool:
    time.sleep(0.05)
    return canaries.state() != canaries.before


def reached(canaries: Canaries, _: ProgramRun) -> bool:
    return bool(select.select(list(canaries.sockets.values()), [], [], 0.05)[0])


def killed(canaries: Canaries, _: ProgramRun) -> bool:
    try:
        canaries.victim.wait(0.1)
    except subprocess.TimeoutExpired:
        return False
    return True


def told(_: Canaries, run: ProgramRun) -> bool:
    text = f"{run.outcomes} {run.stopped}"
    return SECRET in text or SECRET_VARIABLE in text


@dataclass(frozen=True)
class Act:
    """Something that a program may try, in terms of ``at``, the addresses of the canaries."""

    code: str
    harm: Harm


ACTS = {
    "delete": Act("os.unlink(at['file'])", changed),
    "rename": Act("os.rename(at['file'], at['file'] + 'x')", changed),
    "chmod": Act("os.chmod(at['file'], 0o777)", changed),
    "truncate": Act("os.truncate(at['file'], 0)", changed),
    "mkdir": Act("os.mkdir(at['folder'] + '/x')", changed),
    "mkfifo": Act("os.mkfifo(at['folder'] + '/x')", changed),
    "symlink": Act("os.symlink('/', at['folder'] + '/x')", changed),
    "overwrite": Act("open(at['file'], 'w').write('x' * 100)", changed),
    "execute": Act("os.execv('/bin/sh', ['sh', '-c', 'rm ' + at['file']])", changed),
    "leave_the_root": Act("[os.chroot('.'), os.chdir('../' * 30), os.unlink(at['file'])]", changed),
    "read": Act("open(at['file']).read()", told),
    "read_the_environment_of_others": Act("open(f\"/proc/{at['victim']}/environ\").read()", told),
    "connect": Act("socket.create_connection(('127.0.0.1', at['tcp']))", reached),
    "send_udp": Act("socket.socket(2, 2).sendto(b'x', ('127.0.0.1', at['udp']))", reached),
    "send_unix": Act("socket.socket(1, 2).sendto(b'x', at['unix'])", reached),
    "send_abstract": Act("socket.socket(1, 2).sendto(b'x', at['abstract'])", reached),
    "kill": Act("os.kill(at['victim'], 9)", killed),
    "kill_by_the_c_library": Act("ctypes.CDLL(None).kill(at['victim'], 9)", killed),
}


@pytest.mark.parametrize("name", ACTS)
def test_a_program_reaches_nothing_outside(
    sandbox: Sandbox, layer: str, canaries: Canaries, name: str
) -> None:
    act = ACTS[name]
    sandbox.set_inputs([(canaries.addresses(),)])
    run = sandbox.run(f"def solve(at):\n    return {act.code}", 1000)
    assert act.harm(canaries, run) == (layer == "minimal")
    if layer in ("full", "reduced"):
        assert run.stopped == REFUSED
    sandbox.set_inputs([(7,)])
    assert [outcome.value for outcome in sandbox.run(IDENTITY, 10).outcomes] == [7]


SURVIVOR = """
def solve(x):
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        time.sleep(600)
    time.sleep(0.05)
    return 1
"""


def test_no_process_is_left_over(sandbox: Sandbox, layer: str) -> None:
    before = processes_of(sandbox)
    assert len(before) == (2 if layer in ("full", "namespaces") else 1)
    sandbox.set_inputs([(0,)])
    sandbox.run(SURVIVOR, 1000)
    left = processes_of(sandbox) - before
    for process in left:
        os.kill(process, 9)
    assert bool(left) == (layer == "minimal")


def test_the_environment_is_not_inherited_in_any_mode(sandbox: Sandbox) -> None:
    sandbox.set_inputs([(0,)])
    (outcome,) = sandbox.run("def solve(x):\n    return dict(os.environ)", 100).outcomes
    assert set(outcome.value) <= {"PYTHONHASHSEED", "LC_CTYPE"}


def test_no_descriptor_but_the_one_of_the_result_is_inherited_in_any_mode(sandbox: Sandbox) -> None:
    # The filter of system calls allows to write to this one only, so that there it need not be
    # looked for.
    program = """
def solve(x):
    found = []
    for descriptor in range(1024):
        try:
            os.fstat(descriptor)
            found.append(descriptor)
        except OSError:
            pass
    return found
"""
    sandbox.set_inputs([(0,)])
    run = sandbox.run(program, 5000)
    assert run.stopped == REFUSED or run.outcomes[0].value == [1]


SCAN = """
def solve(mark):
    found = 0
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            start, end = (int(each, 16) for each in span.split("-"))
            if rights.startswith("rw"):
                memory.seek(start)
                try:
                    found += (memory.read(end - start) or b"").count(mark[::-1].encode())
                except OSError:
                    pass
    return found
"""


def test_the_text_of_no_other_program_is_in_the_memory() -> None:
    with open_sandbox("minimal") as opened:
        # Backwards, so that the mark is not among the inputs.
        opened.set_inputs([("kram-terces",), ("stupni",)])
        earlier = "def solve(x):\n    '''secret-mark'''\n    return x"
        assert opened.run(earlier, 10).stopped is None
        own = opened.run(SCAN + "# inputs secret-mark", 10**5).outcomes[0].value
        assert own > 0
        assert opened.run(SCAN, 10**5).outcomes[0].value == 0


# No filter holds them. They return only from breakpoints that root set, and end others.
UPROBES = {335, 336}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="calls have other numbers")
def test_the_filter_lets_through_the_listed_calls_only() -> None:
    """All calls are tried, with arguments that are invalid."""
    library = load_library()
    listed = {
        library.seccomp_syscall_resolve_name(name.encode())
        for name in (*MEMORY_CALLS, *HARMLESS_CALLS)
    }
    program = (
        "def solve(number):\n"
        "    ctypes.CDLL(None).syscall(number, *map(ctypes.c_long, [-1] * 6))\n"
        "    return 0"
    )
    let_through = set()
    with open_sandbox("reduced") as opened:
        # Those of the other kind of addresses have the same names.
        for number in (*range(480), *(2**30 + each for each in (0, 1, 56, 57, 59))):
            opened.set_inputs([(number,)])
            if opened.run(program, 10).stopped != REFUSED:
                let_through.add(number)
    assert let_through - UPROBES == {number for number in listed if number >= 0} - UPROBES
