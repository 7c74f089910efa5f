"""``nip export``: dialogues and curves of runs as one file."""

import json
from pathlib import Path

import pytest

from nip.commands.export import main
from tests.viewer.stored_runs import message, questions, record, store_run


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two runs, of which one has a wrong and two right verdicts."""
    folder = tmp_path_factory.mktemp("exported") / "runs"
    asked = questions(folder)
    records = [record(asked[i], i, i) for i in range(3)]
    records[1]["verdict"] = 1 - records[1]["y"]
    records[1]["messages"][1] = message("prover", 2, "Trust me: </script><script>alert(1)")
    store_run(folder, "one", records)
    store_run(folder, "two", records[:1])
    return folder


def export(runs_dir: Path, *words: str) -> int:
    return main([*words, "--runs-dir", str(runs_dir), "--data-dir", str(runs_dir)])


def test_a_file_has_the_dialogues_that_the_filters_admit(
    runs_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "new" / "wrong.html"
    assert export(runs_dir, "one", "--outcome", "wrong", "--output", str(path)) == 0
    assert capsys.readouterr().out == f"Written to {path}: 1 dialogues, curves of one\n"
    text = path.read_text(encoding="utf-8")
    assert "Trust me: &lt;/script&gt;" in text
    assert "It adds up all items." not in text


def test_single_dialogues_of_several_runs_are_exported(runs_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "both.html"
    words = ["one/train/1/2", "two/train/1/0", "--output", str(path)]
    assert export(runs_dir, *words) == 0
    assert path.read_text(encoding="utf-8").count('id="dialogue-1-turn-0"') == 1
    assert "Dialogues of one, two" in path.read_text(encoding="utf-8")


def test_a_log_of_inspect_has_a_sample_for_each_dialogue(
    runs_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log.json"
    assert export(runs_dir, "one", "--limit", "2", "--output", str(path)) == 0
    assert "one: the first 2 of 3 dialogues; see --limit" in capsys.readouterr().out
    assert len(json.loads(path.read_text())["samples"]) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none"], "There is no run 'none'"),
        (["one/train/1/9"], "Run 'one' has no dialogue at train 1, position 9"),
        (["one", "--outcome", "bad"], "A filter of dialogues cannot be 'bad'"),
        (["one", "--question", "zzz"], "No dialogue of run 'one' matches"),
        (["one", "two"], "holds dialogues of one run, got 2 runs"),
    ],
)
def test_what_cannot_be_exported_is_refused_and_nothing_written(
    words: list[str], message: str, runs_dir: Path, tmp_path: Path, capsys
) -> None:
    path = tmp_path / "log.json"
    assert export(runs_dir, *words, "--output", str(path)) == 2
    assert message in capsys.readouterr().err
    assert not path.exists()


def test_the_ending_decides_what_is_written(runs_dir: Path, capsys) -> None:
    with pytest.raises(SystemExit) as ending:
        export(runs_dir, "one", "--output", "log.pdf")
    assert ending.value.code == 2
    assert "should end with .html or .json" in capsys.readouterr().err
