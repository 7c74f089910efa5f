"""Transcripts contain messages, parsed channels, rewards and decisions."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
import yaml

from nip.scenario_base.text.datapoint import TextDatapoint
from nip.scenario_base.text.rollout import MessageRecord, Rollout
from nip.trainers.text.transcripts import transcript_of, write_transcripts

AGENTS = ("verifier", "prover")
DATAPOINT = TextDatapoint("p1/bug", "Double a number.\nn < 100", "return n + 2\n", 0, 1)

COMPLETED = Rollout(
    position=4,
    datapoint=0,
    datapoint_id="p1/bug",
    copy=1,
    seed=77,
    y=0,
    prover_stance=1,
    status="completed",
    messages=(
        MessageRecord(0, "verifier", "What is f(1)? \n", {"main": "What is f(1)?"}, model="m-1"),
        MessageRecord(
            1,
            "prover",
            "",
            {"main": ""},
            num_retries=2,
            problems=("no header", "no header"),
            is_invalid=True,
            is_cut=True,
            prompt_tokens=30,
            completion_tokens=12,
        ),
        MessageRecord(
            2,
            "verifier",
            "It gives 3.\nDecision: reject",
            {"main": "It gives 3."},
            decision=0,
            decision_value=-1.0,
            decision_text="reject",
        ),
    ),
    rewards=((0.0, 0.0), (0.25, 0.0), (1.0, -0.5)),
    verdict=0,
    verdict_value=-1.0,
)
FAILED = Rollout(
    position=5,
    datapoint=0,
    datapoint_id="p1/bug",
    copy=2,
    seed=78,
    y=0,
    prover_stance=1,
    status="failed",
    messages=(MessageRecord(0, "verifier", "Well?", {"main": "Well?"}),),
    error="ContentFilterError",
    error_message="refused",
    warnings=("prover was slow",),
)


PROMPTS = {name: f"You are the {name}.\nBe brief." for name in AGENTS}


def written(tmp_path, rollouts, file_format="yaml", prompts=None):
    trees = (transcript_of(each, DATAPOINT, AGENTS, prompts) for each in rollouts)
    path = write_transcripts(tmp_path, "train", 1, trees, file_format)
    text = path.read_text(encoding="utf-8")
    return (yaml.safe_load if file_format == "yaml" else json.loads)(text), text


def test_files_are_named_by_iteration_and_phase(tmp_path):
    path = write_transcripts(tmp_path, "test", 12, [], "json")
    assert path == tmp_path / "transcripts" / "iteration_0012_test.json"


@pytest.mark.parametrize("file_format", ["yaml", "json"])
def test_all_statistics_are_reported(tmp_path, file_format):
    (tree,), _ = written(tmp_path, [COMPLETED], file_format, prompts=PROMPTS)
    assert tree["question"] == "Double a number.\nn < 100"
    assert tree["solution"] == "return n + 2\n"
    assert (tree["label"], tree["verdict"], tree["verdict_is_right"]) == ("reject", "reject", True)
    assert (tree["position"], tree["copy"], tree["seed"]) == (4, 1, 77)
    assert tree["rewards"] == {"verifier": 1.25, "prover": -0.5}
    assert tree["prompts"]["prover"] == "You are the prover.\nBe brief."
    first, second, third = tree["rounds"]
    assert [each["round"] for each in tree["rounds"]] == [1, 2, 3]
    assert first["messages"] == [
        {
            "agent": "verifier",
            "raw": "What is f(1)? \n",
            "channels": {"main": "What is f(1)?"},
            "tokens": {"prompt": 0, "completion": 0},
            "model": "m-1",
        }
    ]
    (given_up,) = second["messages"]
    assert given_up["is_invalid"] and given_up["is_cut"]
    assert (given_up["num_retries"], given_up["problems"]) == (2, ["no header"] * 2)
    assert given_up["tokens"] == {"prompt": 30, "completion": 12}
    assert third["messages"][0]["decision"] == third["messages"][0]["decision_text"] == "reject"
    assert "rewards" not in first and third["rewards"] == {"verifier": 1.0, "prover": -0.5}


@pytest.mark.parametrize("file_format", ["yaml", "json"])
def test_a_failed_rollout_says_why_and_neither_earns_nor_rejects(tmp_path, file_format):
    tree = written(tmp_path, [COMPLETED, FAILED], file_format)[0][1]
    assert (tree["status"], tree["error"], tree["error_message"]) == (
        "failed",
        "ContentFilterError",
        "refused",
    )
    assert tree["verdict"] is tree["verdict_is_right"] is tree["rewards"] is None
    assert tree["warnings"] == ["prover was slow"]
    assert [message["raw"] for message in tree["rounds"][0]["messages"]] == ["Well?"]


def test_texts_can_be_read_line_by_line(tmp_path):
    _, text = written(tmp_path, [COMPLETED], prompts=PROMPTS)
    assert "\n            It gives 3.\n            Decision: reject\n" in text
    assert "\n    n < 100\n" in text
    assert "\n      You are the prover.\n" in text


@pytest.mark.parametrize("file_format", ["yaml", "json"])
def test_no_rollouts_are_an_empty_list(tmp_path, file_format):
    assert written(tmp_path, [], file_format)[0] == []


@pytest.mark.parametrize("file_format", ["yaml", "json"])
def test_a_terminal_that_shows_the_file_obeys_nothing_in_it(tmp_path, file_format):
    hostile = "first\x1b[2J\x9b31m\u202e\u2069\x7f\r\nlast"
    message = MessageRecord(0, "prover", hostile, {"main": hostile})
    rollout = replace(COMPLETED, messages=(message,), rewards=((0.0, 0.0),))
    transcript = transcript_of(rollout, DATAPOINT, AGENTS)
    text = write_transcripts(tmp_path, "train", 1, [transcript], file_format).read_text()
    assert not set(text) & set("\x1b\x9b\u202e\u2069\x7f\r")
    (read,) = yaml.safe_load(text) if file_format == "yaml" else json.loads(text)
    assert read["rounds"][0]["messages"][0]["raw"] == hostile


@pytest.mark.parametrize("file_format", ["yaml", "json"])
def test_half_a_surrogate_pair_does_no_harm(tmp_path, file_format):
    message = MessageRecord(0, "verifier", "\ud83d and\nmore", {"main": "\ud83d"})
    tree = written(
        tmp_path, [Rollout(0, 0, "p1/bug", 0, 0, 0, 1, messages=(message,))], file_format
    )
    assert "and\nmore" in tree[0][0]["rounds"][0]["messages"][0]["raw"]


@pytest.mark.parametrize("file_format", ["yaml", "json"])
def test_the_dialogue_comes_before_everything_that_is_long(tmp_path, file_format):
    (tree,), text = written(tmp_path, [COMPLETED], file_format, prompts=PROMPTS)
    names = list(tree)
    assert names.index("verdict") < names.index("rounds")
    for name in ("question", "solution", "rewards", "seed", "prompts"):
        assert names.index("rounds") < names.index(name)
    assert text.index("What is f(1)?") < text.index("Double a number.")
    assert text.index("What is f(1)?") < text.index("You are the prover.")


@pytest.mark.parametrize("file_format", ["yaml", "json"])
def test_prompts_are_written_once_per_file(tmp_path, file_format):
    other = {**PROMPTS, "verifier": "You are the verifier.\nBe kind."}
    rollouts = [replace(COMPLETED, position=position) for position in range(5)]
    prompts = [PROMPTS, PROMPTS, other, other, PROMPTS]
    trees = (
        transcript_of(rollout, DATAPOINT, AGENTS, each)
        for rollout, each in zip(rollouts, prompts, strict=True)
    )
    path = write_transcripts(tmp_path, "train", 1, trees, file_format)
    text = path.read_text(encoding="utf-8")
    assert [text.count(f"Be {how}.") for how in ("brief", "kind")] == [2, 1], "one per agent"
    entries = (yaml.safe_load if file_format == "yaml" else json.loads)(text)
    assert [entry.get("prompts") for entry in entries] == [
        PROMPTS,
        None,
        {"verifier": other["verifier"]},
        {"verifier": "same as at position 2"},
        None,
    ]


def test_a_wrong_solution_is_shown_with_the_input_on_which_it_fails(tmp_path):
    extra = {"failing_input": "[2]", "expected": "4", "actual": "5", "problem": "double"}
    wrong = replace(DATAPOINT, extra=extra)
    tree = transcript_of(COMPLETED, wrong, AGENTS)
    assert (tree["failing_input"], tree["expected"], tree["actual"]) == ("[2]", "4", "5")
    right = replace(DATAPOINT, extra=dict.fromkeys(extra))
    assert not {"failing_input", "expected", "actual"} & set(
        transcript_of(COMPLETED, right, AGENTS)
    )


def test_an_interrupted_file_is_not_left_behind(tmp_path):
    def breaking() -> Iterator[dict[str, object]]:
        yield transcript_of(COMPLETED, DATAPOINT, AGENTS)
        raise KeyboardInterrupt

    written(tmp_path, [FAILED])
    with pytest.raises(KeyboardInterrupt):
        write_transcripts(tmp_path, "train", 1, breaking())
    (path,) = (tmp_path / "transcripts").iterdir()
    assert [entry["position"] for entry in yaml.safe_load(path.read_text())] == [5]
