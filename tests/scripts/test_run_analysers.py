"""The script that runs analysers."""

import shutil
from pathlib import Path

import pytest

from nip.commands.analyse import main
from tests.scripts.command_lines import error_of
from tests.text_experiments import run_text_experiment


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    run_text_experiment(folder, "played", rl={"num_iterations": 1})
    return folder / "played"


@pytest.fixture
def folder(original: Path, working_folder: Path) -> Path:
    shutil.copytree(original, working_folder / "runs" / "played")
    return working_folder / "runs" / "played"


def test_a_run_is_analysed_and_reported(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["played", "--model", "rehearsal:x", "--phase", "train", "--max-rollouts", "8"]
    assert main([*words, "--dry-run"]) == 0
    planned = capsys.readouterr().out
    assert "Nothing was asked (--dry-run)." in planned
    assert not (folder / "analyses.db").exists()
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "prover_holds_role: argues for its side from beginning to end" in out
    assert "verifier_follows_format" in out
    assert "Written to runs/played/analyses.json" in out
    assert main([*words, "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("0 calls, 16 answers without a call, 24 stored")
    assert main(["runs/played", *words[1:], "--analysers", "questions_follow_up"]) == 0


def test_analysers_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    assert "quotation_is_accurate" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["palyed"], "There is no run in runs/palyed. Did you mean 'played'?"),
        (["played", "--analysers", "prover_holds_rule"], "Did you mean 'prover_holds_role'?"),
        (["played", "--model", "x"], "must be a provider, a colon and a name, got 'x'"),
        (["played", "--model", "opnai:x"], "There is no model provider 'opnai'."),
        (["played", "--max-cost", "-1"], "error: --max-cost must be a finite number, above 0"),
        (["played", "--max-rollouts", "0"], "error: --max-rollouts must be at least 1, got 0."),
        (["played"], "set --base-url to a server that needs no key; or use the mock API: use_"),
        (["played", "--max-cost=1", "--model=openai:x"], "give it as --prices"),
        (["played", "--iterations", "7"], "It has rollouts in: train 1, test 1."),
    ],
)
def test_a_mistake_is_one_message(
    words: list[str], said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in error_of(main, words, capsys)


def test_a_run_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert "name a run" in error_of(main, [], capsys)
