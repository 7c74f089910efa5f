"""An installation from a wheel needs no clone: all commands, experiments, prompts and templates."""

import csv
import json
import os
import re
import shutil
import signal
import site
import subprocess
import sys
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest

from nip.command_table import COMMANDS

SOURCES = ("nip", "configs", "setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")
NO_CACHES = shutil.ignore_patterns("__pycache__")
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
# Each interpreter starts slowly, so that one prints all texts; it imports nothing of a clone.
PROGRAM = """
import contextlib, sys, nip
from nip.commands.main import execute
assert sys.prefix in nip.__file__, nip.__file__
for words in sys.argv[1:]:
    with contextlib.suppress(SystemExit):
        sys.argv = ["nip"]
        print(end="\x1e", flush=True)
        execute(words.split())
"""


def environment_without_a_clone() -> dict[str, str]:
    """Return the variables of this process, but not those by which Python and pip find a clone."""
    hidden = ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONSAFEPATH")
    return {name: each for name, each in os.environ.items() if name not in hidden}


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy, because that leaves files beside the sources."""
    folder = tmp_path_factory.mktemp("build")
    for name in SOURCES:
        source, target = repository / name, folder / "copy" / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=NO_CACHES)
        else:
            target.parent.mkdir(exist_ok=True)
            shutil.copy(source, target)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "-w", folder]
    subprocess.run(
        [*PIP, "wheel", *options, folder / "copy"], check=True, env=environment_without_a_clone()
    )
    (built,) = folder.glob("*.whl")
    return built


class Installation:
    """An environment with the wheel, which finds its dependencies where these tests do."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.bin = folder / "bin"
        venv.create(folder, with_pip=False, symlinks=True)
        (packages,) = folder.glob("lib/python*/site-packages")
        # What a .pth file adds is searched last, and its own .pth files, such as that of the
        # clone, are not read.
        dependencies = [path for path in sys.path if path in site.getsitepackages()]
        (packages / "dependencies.pth").write_text("\n".join(dependencies))
        options = ["--no-deps", "--no-index", "--no-compile", wheel]
        subprocess.run(
            [*PIP, "--python", self.bin / "python", "install", *options],
            check=True,
            env=environment_without_a_clone(),
        )

    def start(self, program: str, arguments: Sequence[str], folder: Path) -> subprocess.Popen[str]:
        """Start a program of the environment."""
        return subprocess.Popen(
            [self.bin / program, *arguments],
            cwd=folder,
            env={**environment_without_a_clone(), "COLUMNS": "120", "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # pytest may have been started in the background, by a shell that then ignores Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def run(self, program: str, arguments: Sequence[str], folder: Path) -> tuple[int, str, str]:
        """Run a program of the environment; return exit code, output and messages."""
        with self.start(program, arguments, folder) as process:
            stdout, stderr = process.communicate(timeout=280)
        return process.returncode, stdout, stderr


@pytest.fixture(scope="module")
def installation(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(tmp_path_factory.mktemp("installed") / "environment", wheel)


def test_the_wheel_has_every_file_of_the_package_and_all_configs(
    wheel: Path, repository: Path
) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    package = {path.relative_to(repository) for path in (repository / "nip").rglob("*")}
    configs = {
        Path("nip") / path.relative_to(repository) for path in (repository / "configs").rglob("*")
    }
    files = {
        str(path)
        for path in package | configs
        if path.suffix and "__pycache__" not in path.parts and path.name[0] != "."
    }
    assert len(files) > 600
    assert files <= packed
    assert {name.split("/")[0] for name in packed} == {"nip", "nip-0.1.0.dist-info"}


def test_every_command_describes_itself(installation: Installation, working_folder: Path) -> None:
    lines = ["--help", *(f"{name} --help" for name in COMMANDS), "completion bash"]
    code, text, error = installation.run("python", ["-P", "-c", PROGRAM, *lines], working_folder)
    assert (code, error) == (0, "")
    texts = dict(zip(lines, text.split("\x1e")[1:], strict=True))
    for name in COMMANDS:
        assert f"nip {name}" in texts[f"{name} --help"]
        assert f"  {name} " in texts["--help"]
    assert "python scripts/" not in text
    assert "gi_demo" in texts["run --help"]
    assert list(working_folder.iterdir()) == []


def test_runs_in_an_empty_folder_are_compared_and_viewed(
    installation: Installation, working_folder: Path
) -> None:
    words = ["run", "experiment=toy", "run_id=first", "rl.num_iterations=2", "seed=1,2"]
    code, _, error = installation.run("nip", [*words, "--multirun"], working_folder)
    assert code == 0, error
    assert {path.name for path in working_folder.iterdir()} == {"multirun", "runs"}
    results = [
        json.loads((working_folder / "runs" / f"first-seed-{seed}" / "result.json").read_text())
        for seed in (1, 2)
    ]
    words = ["compare", "first-*", "--output", "comparison.csv"]
    code, text, error = installation.run("nip", words, working_folder)
    assert code == 0, error
    assert "(seeds 1, 2)" in text
    with (working_folder / "comparison.csv").open() as table:
        (row,) = csv.DictReader(table)
    accuracies = [result["metrics"]["test_mean_accuracy"] for result in results]
    assert float(row["estimate"]) == pytest.approx(sum(accuracies) / 2)
    viewing = ["view", "--no-browser", "--port", "0", "--index", "index.db"]
    with installation.start("nip", viewing, working_folder) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
            assert found is not None
            # It redirects to the list of runs.
            with build_opener(ProxyHandler({})).open(found[0], timeout=60) as page:
                assert b">first-seed-2<" in page.read()
        finally:
            process.send_signal(signal.SIGINT)
            _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (130, "Stopped.\n")


def test_a_missing_dataset_is_made_by_the_command_that_the_message_names(
    installation: Installation, working_folder: Path
) -> None:
    code, _, error = installation.run("nip", ["run", "experiment=gi_demo"], working_folder)
    assert code == 2
    assert error.endswith(
        "Make it with: nip dataset graph-isomorphism demo --score-fractions 0.08 0.2\n"
    )
    words = [*error.split(": nip ")[1].split(), "--num-train", "8", "--num-test", "4"]
    code, _, error = installation.run("nip", words, working_folder)
    assert code == 0, error
    assert (working_folder / "data" / "graph_isomorphism" / "demo").is_dir()
    words = ["run", "experiment=gi_demo", "run_id=demo", "--cfg", "job"]
    assert installation.run("nip", words, working_folder)[0] == 0


# What each shell offers after the words $1 of a command line.
COMPLETION = {
    "bash": """
        eval "$(nip completion bash)"
        COMP_LINE="$1" COMP_POINT=${#1} COMP_TYPE=9 COMP_WORDS=($1)
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _python_argcomplete nip "${COMP_WORDS[$COMP_CWORD]}" nip
        printf '%s\\n' "${COMPREPLY[@]}"
    """,
    "fish": """
        nip completion fish | source
        complete --do-complete $argv[2] | string replace experiment= ''
    """,
}


@pytest.mark.parametrize("name", COMPLETION)
def test_a_shell_completes_the_names_of_experiments(
    name: str, installation: Installation, working_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = shutil.which(name)
    if shell is None:
        pytest.skip(f"there is no {name}")
    monkeypatch.setenv("PATH", f"{installation.bin}:{os.environ['PATH']}")
    own = working_folder / "configs" / "experiment" / "gi_mine.yaml"
    own.parent.mkdir(parents=True)
    own.touch()
    words = ["-c", COMPLETION[name], name, "nip run experiment=gi_"]
    code, text, error = installation.run(shell, words, working_folder)
    assert (code, error) == (0, "")
    assert {"gi_demo", "gi_nip_ppo", "gi_mine"} <= set(text.split())
