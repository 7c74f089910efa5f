"""Kernels are compiled once, and where they cannot be, the reason is given."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
import yaml

from nip import run_experiment
from nip.errors import NipWarning
from nip.native import build, compiler, library
from nip.native.build import cache_folder, load_kernels
from nip.native.compiler import BuildError, content_key, find_compiler
from tests.experiments import make_params, write_tiny_graphs


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "nip" / "kernels"


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CXX", "no-such-compiler")
    library.kernel_library.cache_clear()
    yield
    library.kernel_library.cache_clear()


def write_compiler(path: Path, commands: str) -> Path:
    """Write a program that stands for a compiler; its last argument is the output."""
    path.write_text(f'#!/bin/sh\nfor output in "$@"; do :; done\n{commands}\n')
    path.chmod(0o755)
    return path


def test_several_threads_and_processes_compile_once(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = tmp_path / "calls"
    fake = write_compiler(
        tmp_path / "compiler", f'echo call >> "{calls}"; sleep 0.1; echo built > "$output"'
    )
    monkeypatch.setattr(build.ctypes, "CDLL", lambda name: Path(name).read_text())
    monkeypatch.setenv("CXX", str(fake))
    loaded: list[object] = []
    threads = [Thread(target=lambda: loaded.append(load_kernels())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loaded == ["built\n"] * 3
    assert calls.read_text() == "call\n"
    assert [path.suffix for path in sorted(cache.iterdir())] == [".lock", ".so"]
    assert cache.stat().st_mode & 0o777 == 0o700


def test_another_compiler_or_other_sources_have_another_name(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = write_compiler(tmp_path / "compiler", "exit 0")
    command = [str(fake)]
    first = content_key(command)
    assert content_key(command) == first
    sources = shutil.copytree(compiler.SOURCES, tmp_path / "native")
    monkeypatch.setattr(compiler, "SOURCES", sources)
    assert content_key(command) == first
    (sources / "lanes.h").write_text("changed")
    changed = content_key(command)
    write_compiler(fake, "exit 0 # of another version")
    names = [first, changed, content_key(command), content_key([*command, "-m64"])]
    assert len(set(names)) == 4
    # Behind a launcher the compiler counts as well.
    launched = content_key(["env", str(fake)])
    write_compiler(fake, "exit 0 # of a third version")
    assert content_key(["env", str(fake)]) != launched


def test_a_compiler_is_called_by_the_name_that_was_given(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``clang++`` and launchers read from their names what to do."""
    program = write_compiler(tmp_path / "driver", 'echo "${0##*/} $1" > "$output"')
    (tmp_path / "driver++").symlink_to(program)
    monkeypatch.setattr(build.ctypes, "CDLL", lambda name: Path(name).read_text())
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("CXX", "driver++ -m64")
    assert load_kernels() == "driver++ -m64\n"


def test_messages_of_any_bytes_are_no_error(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = write_compiler(tmp_path / "compiler", "printf 'warning \\351\\n' >&2; : > \"$output\"")
    monkeypatch.setattr(build.ctypes, "CDLL", lambda name: "loaded")
    monkeypatch.setenv("CXX", str(fake))
    assert load_kernels() == "loaded"


def test_files_of_processes_that_were_killed_are_removed(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = write_compiler(tmp_path / "compiler", 'echo built > "$output"')
    monkeypatch.setattr(build.ctypes, "CDLL", lambda name: Path(name).read_text())
    monkeypatch.setenv("CXX", str(fake))
    key = content_key(find_compiler())
    cache_folder()
    for name in (f"{key}.123.tmp", "other.123.tmp"):
        (cache / name).touch()
    load_kernels()
    assert sorted(path.name for path in cache.iterdir()) == [
        f"{key}.lock",
        f"{key}.so",
        "other.123.tmp",
    ]


def test_a_relative_cache_folder_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("relative", "~/cache", ""):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert cache_folder() == tmp_path / ".cache" / "nip" / "kernels"


def test_without_a_home_folder_there_are_no_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(BuildError, match="no home folder; set XDG_CACHE_HOME"):
        load_kernels()


def test_the_first_message_of_a_compiler_that_fails_is_the_reason(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = write_compiler(tmp_path / "compiler", "echo no space >&2; echo more >&2; exit 1")
    monkeypatch.setenv("CXX", str(fake))
    with pytest.raises(BuildError, match=r"compiler failed: no space$"):
        load_kernels()
    assert not list(cache.glob("*.so"))


def test_a_folder_that_others_can_write_to_is_refused(cache: Path) -> None:
    cache.mkdir(parents=True)
    cache.chmod(0o777)
    with pytest.raises(BuildError, match="can be written by others"):
        cache_folder()


def test_a_compiler_that_is_missing_is_named(no_compiler: None) -> None:
    with pytest.raises(BuildError, match=r"^no no-such-compiler, which CXX names, was found$"):
        find_compiler()


@pytest.mark.whole_run
def test_a_run_without_a_compiler_says_so_and_is_recorded_as_such(
    no_compiler: None, tmp_path: Path
) -> None:
    write_tiny_graphs(tmp_path / "data")
    params = make_params("graph_isomorphism", rl={"num_iterations": 1})
    folders = {"data_dir": str(tmp_path / "data"), "runs_dir": str(tmp_path / "runs")}
    with pytest.warns(NipWarning, match=r"PyTorch alone.*no-such-compiler.*Install a C"):
        result = run_experiment(params, progress=False, **folders)
    settings = yaml.safe_load((result.folder / "settings.yaml").read_text())
    assert settings["native_kernels"] == "off"


@pytest.mark.whole_run
def test_a_run_whose_updates_alone_would_use_kernels_is_recorded_without_a_message(
    no_compiler: None, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    params = make_params("toy", rl={"num_iterations": 1})
    result = run_experiment(params, progress=False, runs_dir=str(tmp_path / "runs"))
    settings = yaml.safe_load((result.folder / "settings.yaml").read_text())
    assert settings["native_kernels"] == "off"
    assert not [each for each in recwarn if "compiler" in str(each.message)]
