"""Kernels with vectors of eight numbers are right too, on processors that have longer ones."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from nip.native.compiler import BuildError, find_compiler

TESTS = Path(__file__).parent


@pytest.mark.slow
def test_they_pass_the_tests_of_all_kernels(tmp_path: Path) -> None:
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists() or "avx512_vbmi2" not in cpuinfo.read_text(encoding="utf-8"):
        pytest.skip("this processor has vectors of eight numbers at most")
    try:
        compiler = find_compiler()
    except BuildError as error:
        pytest.skip(str(error))
    narrow = [*compiler, "-mno-avx512f"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_kernels.py"],
        cwd=TESTS,
        env={**os.environ, "CXX": shlex.join(narrow), "XDG_CACHE_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout
    assert list((tmp_path / "cache" / "nip" / "kernels").glob("*.so"))
