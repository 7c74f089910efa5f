"""The script that creates datasets of programs."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nip.commands.code_validation_dataset import build_parser, main
from nip.scenarios.code_validation.generation.pair_generator import MUTANTS_PER_VARIANT
from nip.scenarios.code_validation.generation.sandbox.isolation import MODES
from nip.scenarios.code_validation.sources.folders import load_folder
from tests.scripts.command_lines import error_of

GENERATOR = "nip.scenarios.code_validation.generation.pair_generator"
ISOLATION = "nip.scenarios.code_validation.generation.sandbox.isolation"
SMALL = ["--num-datapoints", "8", "--test-share", "0.3", "--workers", "2"]
SMALL += ["--problems", "run_lengths", "days_left_in_year", "check_digit"]


@pytest.fixture(autouse=True)
def few_mutants(monkeypatch: pytest.MonkeyPatch) -> None:
    """Generate fewer mutants, which is faster."""
    monkeypatch.setattr(f"{GENERATOR}.MUTANTS_PER_VARIANT", 4)


def test_a_dataset_is_made_and_reported(
    working_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mine", *SMALL, "--seed", "5"]) == 0
    folder = Path("data/code_validation/mine")
    train, test = load_folder(folder, "train"), load_folder(folder, "test")
    assert [sum(each.y for each in split) for split in (train, test)] == [3, 1]
    stored = json.loads((folder / "metadata.json").read_text())
    assert (stored["seed"], stored["num_datapoints"], stored["test_share"]) == (5, 8, 0.3)
    assert stored["problems"] == ["run_lengths", "days_left_in_year", "check_digit"]
    assert stored["statistics"]["train"]["num_datapoints"] == 6
    rows = capsys.readouterr().out.splitlines()
    assert next(row for row in rows if "│ correct" in row).split("│")[2:4] == [
        "      3 ",
        "      1 ",
    ]
    assert rows[-1] == "Written to data/code_validation/mine"


@pytest.mark.whole_run
def test_the_same_seed_makes_the_same_files_in_any_process(
    working_folder: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{GENERATOR}.MUTANTS_PER_VARIANT", MUTANTS_PER_VARIANT)
    assert main(["one", *SMALL, "--workers", "1"]) == 0
    subprocess.run(
        [sys.executable, repository / "scripts/create_cv_dataset.py", "other", *SMALL],
        # Sets of strings have another order than here.
        env={**os.environ, "PYTHONHASHSEED": "1"},
        check=True,
        capture_output=True,
    )
    contents = []
    for name in ("one", "other"):
        folder = Path("data/code_validation") / name
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        contents.append({str(path.relative_to(folder)): path.read_bytes() for path in files})
    assert contents[0] == contents[1]
    assert list(contents[0]) == ["metadata.json", "raw/test/data.jsonl", "raw/train/data.jsonl"]


def test_an_existing_dataset_is_replaced_only_on_demand(
    working_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mine", *SMALL]) == 0
    assert "exists already" in error_of(main, ["mine", *SMALL, "--seed", "1"], capsys)
    assert main(["mine", *SMALL, "--seed", "1", "--overwrite"]) == 0
    stored = json.loads(Path("data/code_validation/mine/metadata.json").read_text())
    assert stored["seed"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: name"),
        (["../mine"], "cannot be the name of a dataset"),
        (["mine", "--num-datapoint", "4"], "unrecognized arguments: --num-datapoint 4"),
        (["mine", "--num-datapoints", "many"], "invalid int value: 'many'"),
        (["mine", "--num-datapoints", "7"], "must be an even number"),
        (["mine", "--test-share", "2"], "--test-share must be between 0 and 1"),
        (["mine", "--workers", "0"], "--workers must be at least 1"),
        (["mine", "--problems", "string"], "no topic or problem 'string'. Did you mean 'strings'?"),
        (["mine", "--problems", "run_lengths"], "At least 2 problems are needed"),
    ],
)
def test_nonsense_gives_one_message_and_nothing_is_written(
    working_folder: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    assert message in error_of(main, arguments, capsys)
    assert not list(working_folder.iterdir())


def test_interruption_leaves_nothing(
    working_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"{GENERATOR}.verify", interrupt)
    assert main(["mine", *SMALL]) == 130
    assert "nothing was written" in capsys.readouterr().err
    assert not list(working_folder.iterdir())


@pytest.mark.whole_run
def test_a_killed_run_leaves_no_dataset_and_no_processes(working_folder: Path) -> None:
    process = os.fork()
    if process == 0:
        main(["mine", "--num-datapoints", "4000", "--workers", "2"])
        os._exit(1)
    try:
        children = _wait_for_children(process, 2)
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
    assert not (working_folder / "data" / "code_validation" / "mine").exists()
    deadline = time.monotonic() + 60
    while any(map(_is_running, children)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _wait_for_children(process: int, count: int) -> list[int]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        listed = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        pairs = [tuple(map(int, line.split())) for line in listed]
        children = [child for child, parent in pairs if parent == process]
        if len(children) >= count:
            return children
        time.sleep(0.02)
    raise AssertionError("the workers did not start")


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_isolation_can_be_any_mode_and_one_that_is_missing_is_refused(
    working_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (action,) = [each for each in build_parser()._actions if each.dest == "isolation"]
    assert tuple(action.choices or ()) == MODES
    monkeypatch.setattr(f"{ISOLATION}.NAMESPACES", ("--no-such-namespace",))
    error = error_of(main, ["mine", *SMALL, "--isolation", "full"], capsys)
    assert "cannot run candidate programs in isolation: full: ended with exit code 1" in error
    assert not Path("data/code_validation/mine").exists()
