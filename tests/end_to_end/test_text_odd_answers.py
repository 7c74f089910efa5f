"""Dialogues with unusual characters are stored unchanged."""

import json
from pathlib import Path

import yaml

from tests.end_to_end.rehearsals import records, rehearse

ODD = "\0 nul \x07\x1b \x85\u2028\u2029 \ufeff\ufffe\uffff \U0001f600 <b>&amp;</b> `'\" {} # x: y"
HALVES = "\ud800 and \udfff"

SCRIPT = """
from pathlib import Path

def answer(messages, sampling):
    text = Path(__file__).with_name("said.json").read_text()
    import json
    last = "You cannot decide" not in messages[-1]["content"]
    is_verifier = "Decision:" in messages[0]["content"]
    return json.loads(text) + ("\\n\\nDecision: accept" if is_verifier and last else "")
"""


def said_in(runs_dir: Path) -> set[str]:
    """Return all that was said, without decisions."""
    return {
        message["text"].removesuffix("\n\nDecision: accept")
        for record in records(runs_dir)
        for message in record["messages"]
    }


def test_odd_characters_come_through_the_whole_run(tmp_path: Path) -> None:
    rules = {
        "rules": [
            {"when": "`Decision: accept`", "answers": [f"{ODD}\n\nDecision: accept"]},
        ],
        "otherwise": [ODD],
    }
    brain = tmp_path / "rules.json"
    brain.write_text(json.dumps(rules))
    rehearse(tmp_path, rehearsal={"brain_file": str(brain)}, text_rl={"test_scheme": "none"})
    assert said_in(tmp_path) == {ODD}
    assert {record["status"] for record in records(tmp_path)} == {"completed"}
    check_transcripts(tmp_path, ODD)
    examples = list((tmp_path / "run" / "fine_tuning").glob("*.jsonl"))
    assert len(examples) == 2
    for path in examples:
        # Not `splitlines`, which takes other characters for the end of a line as well.
        for line in path.read_text(encoding="utf-8").rstrip("\n").split("\n"):
            last = json.loads(line)["messages"][-1]["content"]
            assert last.removesuffix("\n\nDecision: accept") == ODD


def test_halves_of_surrogate_pairs_are_replaced(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    (tmp_path / "said.json").write_text(json.dumps(HALVES))
    rehearse(
        tmp_path,
        agents={"_default": {"model_provider": "scripted", "model_name": f"{script}:answer"}},
        rl={"num_iterations": 1},
        text_rl={"test_scheme": "none"},
    )
    assert said_in(tmp_path) == {"� and �"}
    assert {record["status"] for record in records(tmp_path)} == {"completed"}
    check_transcripts(tmp_path, "� and �")


def check_transcripts(runs_dir: Path, text: str) -> None:
    """Read the transcripts as people's tools do, and look for a text."""
    paths = sorted((runs_dir / "run" / "transcripts").iterdir())
    assert paths
    for path in paths:
        trees = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert len(trees) == 12
        assert all(text in str(tree) or repr(text)[1:-1] in str(tree) for tree in trees)
