"""A training goes on when nobody can look on any more."""

import json
from pathlib import Path

import pytest

from tests.fork_server import SCRIPT, Ending, fork_server

SHORT = [
    *("scenario=toy", "dataset=witness", "trainer=vanilla_ppo", "run_id=short"),
    *("rl.num_iterations=3", "rl.frames_per_batch=32", "rl.minibatch_size=16"),
    *("rl.num_normalization_steps=16", "settings.runs_dir=."),
]


def run(kind: str, folder: Path, *arguments: str) -> Ending:
    return fork_server().call(
        "tests.end_to_end.signals_child:run_with_output",
        kind,
        str(SCRIPT),
        *arguments,
        folder=folder,
    )


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("pipe", "Broken pipe"),
        ("full", "No space left on device"),
        ("terminal", "Input/output error"),
        ("closed", None),
        ("ascii", None),
    ],
)
def test_a_training_needs_no_reader(kind: str, reason: str | None, tmp_path: Path) -> None:
    ending = run(kind, tmp_path, *SHORT)
    assert ending.exit_code == 0, ending.stderr
    assert json.loads((tmp_path / "short" / "result.json").read_text())["status"] == "completed"
    warnings = [line for line in ending.stderr.splitlines() if "cannot be written" in line]
    assert len(warnings) == (reason is not None)
    assert reason is None or f"({reason})" in warnings[0]
    assert "Traceback" not in ending.stderr


@pytest.mark.parametrize("kind", ["pipe", "full", "terminal", "closed"])
def test_help_that_nobody_reads_is_no_error(kind: str, tmp_path: Path) -> None:
    ending = run(kind, tmp_path, "--help")
    assert (ending.exit_code, ending.stderr) == (0, "")
