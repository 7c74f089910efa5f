"""What the profiler records, and that it ends."""

import json

import pytest
import torch

from nip.errors import NipWarning
from nip.trainers.callbacks.profiler import Profiler
from tests.trainers.callbacks.scripted_training import ScriptedTraining

MARKS = [f"iteration {number}" for number in range(1, 8)]


def marks_recorded(folder, name):
    trace = json.loads((folder / "profile" / name).read_text())
    return sorted({event.get("name") for event in trace["traceEvents"]} & set(MARKS))


def play(training, num_iterations):
    for _ in range(num_iterations):
        with torch.profiler.record_function(MARKS[training.context.iteration]):
            torch.ones(2) @ torch.ones(2)
        training.iterate({"loss": 1.0})


def test_it_records_the_active_iterations_and_nothing_after_them(tmp_path):
    training = ScriptedTraining(Profiler(wait=1, warmup=1, active=2), tmp_path)
    play(training, 4)
    assert marks_recorded(tmp_path, "trace_000003.json") == MARKS[2:4]
    assert "aten::dot" in (tmp_path / "profile" / "summary.txt").read_text()
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    play(training, 3)
    training.end()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == written


def test_training_that_ends_in_the_middle_leaves_what_there_is(tmp_path):
    training = ScriptedTraining(Profiler(wait=0, warmup=1, active=5), tmp_path, done=2)
    play(training, 3)
    training.end()
    assert marks_recorded(tmp_path, "trace_000004.json") == MARKS[3:5]


def test_training_that_is_too_short_is_told(tmp_path):
    training = ScriptedTraining(Profiler(wait=2, warmup=1, active=1), tmp_path)
    play(training, 2)
    with pytest.warns(NipWarning, match="the 3 iterations of wait and warmup"):
        training.end()
    assert not (tmp_path / "profile").exists()
