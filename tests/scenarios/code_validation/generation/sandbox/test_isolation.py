"""The process that runs programs is isolated as its mode says, as seen from outside."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nip.scenarios.code_validation.generation.sandbox.isolation import DESCRIPTIONS, MODES
from nip.scenarios.code_validation.generation.sandbox.sandbox import Sandbox
from nip.scenarios.code_validation.generation.sandbox.system_call_filter import compile_filter
from tests.scenarios.code_validation.generation.sandbox.layers import (
    LAYERS,
    open_sandbox,
    processes_of,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux is tested")

NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")


def worker_of(opened: Sandbox) -> Path:
    """Return the folder of the worker's process."""
    folders = [Path(f"/proc/{process}") for process in processes_of(opened)]
    return next(
        each
        for each in folders
        if "worker.py" in (each / "cmdline").read_text()[-20:]
        and "unshare" not in (each / "cmdline").read_text()
    )


def status_of(process: Path) -> dict[str, str]:
    lines = (process / "status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


@pytest.mark.parametrize("layer", LAYERS)
def test_the_namespaces_of_the_worker_are_its_own(layer: str) -> None:
    with open_sandbox(layer) as opened:
        worker = worker_of(opened)
        shared = {
            name
            for name in NAMESPACES
            if (worker / "ns" / name).readlink() == Path(f"/proc/self/ns/{name}").readlink()
        }
        assert shared == (set() if layer in ("full", "namespaces") else set(NAMESPACES))


@pytest.mark.parametrize("layer", ["full", "namespaces"])
def test_the_root_of_the_worker_is_empty_and_it_has_no_capabilities(layer: str) -> None:
    with open_sandbox(layer) as opened:
        worker = worker_of(opened)
        assert list((worker / "root").iterdir()) == []
        with pytest.raises(OSError, match="Read-only file system"):
            (worker / "root" / "x").touch()
        status = status_of(worker)
        assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {0}
        assert len(list((worker / "net").glob("dev"))) == 1
        devices = (worker / "net" / "dev").read_text().splitlines()[2:]
        assert [line.split(":")[0].strip() for line in devices] in (["lo"], [])


@pytest.mark.parametrize("layer", ["full", "reduced"])
def test_the_worker_cannot_gain_privileges(layer: str) -> None:
    with open_sandbox(layer) as opened:
        assert status_of(worker_of(opened))["NoNewPrivs"] == "1"


@pytest.mark.parametrize("layer", LAYERS)
def test_the_worker_has_no_open_file_but_its_pipes(layer: str) -> None:
    with open_sandbox(layer) as opened:
        files = [each.readlink() for each in (worker_of(opened) / "fd").iterdir()]
        assert len(files) == 4
        kinds = [str(file).partition(":")[0] for file in files]
        assert sorted(kinds) == ["/dev/null", "/dev/null", "pipe", "pipe"]


WITHOUT_NAMESPACES = """
from nip.scenarios.code_validation.generation.sandbox.sandbox import Sandbox
with Sandbox() as sandbox:
    sandbox.set_inputs([(5,)])
    print(sandbox.mode, sandbox.run("def solve(x):\\n    return x", 10).outcomes[0].value)
    print(sandbox.reasons())
"""


def test_a_kernel_that_permits_no_namespaces_reduces_the_isolation() -> None:
    forbid = "echo 0 > /proc/sys/user/max_user_namespaces"
    finished = subprocess.run(
        [
            *("unshare", "--user", "--map-root-user", "sh", "-c", f'{forbid} && exec "$0" "$@"'),
            *(sys.executable, "-c", WITHOUT_NAMESPACES),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[5])},
    )
    if not finished.stdout:
        pytest.skip(finished.stderr[-200:])
    first, reasons = finished.stdout.splitlines()
    assert first == "reduced 5"
    assert reasons.startswith("full: ended with exit code 1: unshare: unshare failed: ")


def test_every_mode_is_described_and_the_weakest_says_what_it_lacks() -> None:
    assert tuple(DESCRIPTIONS) == MODES
    assert "read and delete your files" in DESCRIPTIONS["minimal"]


def test_the_filter_needs_no_folder_for_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/missing")
    assert compile_filter.__wrapped__() == compile_filter()
