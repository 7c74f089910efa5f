"""Transcripts in the terminal."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from nip.rollout_analysis.transcript_view import TranscriptFilter, render_transcript
from nip.scenario_base.text.play import begin_rollout
from tests.scenario_base.text.dialogues import DATAPOINT, PLAN

TRANSCRIPT = {
    "position": 3,
    "datapoint_id": "d7",
    "copy": 1,
    "status": "completed",
    "question": "Add two numbers.",
    "solution": "def add(a, b):\n    return a - b",
    "label": "reject",
    "verdict": "reject",
    "verdict_is_right": True,
    "rewards": {"prover": 0.0, "verifier": 1.0},
    "rounds": [
        {
            "round": 1,
            "messages": [
                {"agent": "prover", "channels": {"main": "It adds."}, "raw": "HEADER It adds."},
                {
                    "agent": "verifier",
                    "channels": {"main": "No.", "notes": ""},
                    "raw": "No. Decision: reject",
                    "decision": "reject",
                    "num_retries": 2,
                    "is_cut": True,
                },
            ],
        }
    ],
}


def shown(transcript=TRANSCRIPT, **options) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(render_transcript(transcript, ("test", 2), ("prover", "verifier"), **options))
    return console.file.getvalue()


def test_a_dialogue_is_shown_with_its_outcome_and_notes():
    text = shown()
    for part in (
        "test 2, position 3: d7 (copy 2)",
        "verdict reject, label reject; right; rewards: prover 0, verifier 1",
        "return a - b",
        "round 1, prover",
        "It adds.",
        "round 1, verifier: reject",
        "[notes]",
        "asked again 2 times, cut at the token limit",
    ):
        assert part in text
    assert "HEADER" not in text


def test_the_dialogue_comes_first_and_the_mistake_last():
    wrong = {**TRANSCRIPT, "failing_input": "[1, 2]", "expected": "3", "actual": "-1"}
    text = shown(wrong)
    places = [text.index(part) for part in ("It adds.", "Add two", "return a - b", "mistake")]
    assert places == sorted(places)
    for line in ("failing input: [1, 2]", "expected: 3", "actual: -1"):
        assert line in text
    assert "mistake" not in shown()


def test_raw_output_is_shown_on_demand():
    assert "HEADER It adds." in shown(raw=True)


def test_a_failed_dialogue_shows_its_error():
    failed = {**TRANSCRIPT, "status": "failed", "error": "Late", "error_message": "too slow"}
    assert "failed: Late: too slow" in shown(failed)


@pytest.mark.parametrize(
    ("chosen", "changes", "expected"),
    [
        (TranscriptFilter(), {}, True),
        (TranscriptFilter(wrong=True), {"verdict": 1 - DATAPOINT.y}, True),
        (TranscriptFilter(wrong=True), {"verdict": DATAPOINT.y}, False),
        (TranscriptFilter(wrong=True), {"verdict": 2}, True),
        (TranscriptFilter(wrong=True), {"verdict": 2, "status": "failed"}, False),
        (TranscriptFilter(failed=True), {"status": "failed"}, True),
        (TranscriptFilter(failed=True), {"status": "completed"}, False),
        (TranscriptFilter(datapoint_id="other"), {}, False),
        (TranscriptFilter(datapoint_id=DATAPOINT.id), {}, True),
    ],
)
def test_filters(chosen, changes, expected):
    assert chosen.admits(replace(begin_rollout(DATAPOINT, PLAN), **changes)) is expected
