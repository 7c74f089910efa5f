"""The script that shows dialogues."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from nip.commands.transcripts import main
from nip.run_store import Run
from nip.scenario_base.text.rollout import Rollout
from tests.scripts.command_lines import error_of
from tests.text_experiments import make_text_params, run_text_experiment, text_settings


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    run_text_experiment(folder, "played", rl={"num_iterations": 1})
    return folder


def rollouts(runs_dir: Path, phase: str = "train") -> list[Rollout]:
    with closing(sqlite3.connect(runs_dir / "played" / "run.db")) as database:
        query = "SELECT record FROM rollouts WHERE phase = ? ORDER BY position"
        rows = database.execute(query, (phase,)).fetchall()
    return [Rollout.from_record(json.loads(record)) for (record,) in rows]


def shown(runs_dir: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["played", "--runs-dir", str(runs_dir), *words]) == 0
    return capsys.readouterr().out


def positions(out: str, phase: str = "train") -> list[int]:
    starts = [line for line in out.splitlines() if line.startswith(f"{phase} 1, position ")]
    return [int(line.split()[3].rstrip(":")) for line in starts]


def test_dialogues_are_shown_in_order(runs_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(runs_dir, capsys, "--limit", "2")
    assert positions(out) == [0, 1]
    assert "There are more; --limit shows more than 2." in out
    first = rollouts(runs_dir)[0]
    assert first.datapoint_id in out
    assert "def " in out
    assert f"round 1, {first.messages[0].agent}" in out


def test_the_wrong_ones_are_those_that_accuracy_counts_as_wrong(
    runs_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = shown(runs_dir, capsys, "--wrong", "--phase", "train", "--limit", "100")
    wrong = [each.position for each in rollouts(runs_dir) if each.verdict != each.y]
    assert positions(out) == wrong
    assert 0 < len(wrong) < 12


def test_a_question_can_be_chosen(runs_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = rollouts(runs_dir, "test")[3]
    out = shown(runs_dir, capsys, "--datapoint", chosen.datapoint_id)
    assert positions(out, "test") == [3]


def test_raw_answers_keep_what_was_parsed(
    runs_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "Decision: " not in shown(runs_dir, capsys, "--limit", "5")
    assert "Decision: " in shown(runs_dir, capsys, "--limit", "5", "--raw")


def test_without_any_that_fits_it_says_so(
    runs_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(runs_dir, capsys, "--failed") == "No dialogue matches.\n"


def test_a_run_that_is_open_elsewhere_can_be_read(
    runs_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    params = make_text_params(rl={"num_iterations": 1})
    with Run.open(text_settings(runs_dir), "played", params.to_dict()) as run:
        failed = {**rollouts(runs_dir)[0].to_record(), "position": 99, "status": "failed"}
        failed |= {"error": "ModelTimeoutError", "error_message": "late"}
        run.rollouts.add("train", 1, 99, failed)
        out = shown(runs_dir, capsys, "--failed")
        run.rollouts._transactions._connection.execute("DELETE FROM rollouts WHERE position = 99")
    assert positions(out) == [99]
    assert "failed: ModelTimeoutError: late" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["palyed"], "Did you mean 'played'?"),
        (["played", "--datapoint", "zzz"], "No dialogue about 'zzz' matches."),
        (["played", "--iteration", "4"], "It has rollouts in: train 1, test 1."),
    ],
)
def test_a_mistake_is_one_message(
    words: list[str], said: str, runs_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in error_of(main, [*words, "--runs-dir", str(runs_dir)], capsys)
