"""A written dataset has its rows as JSONL and its statistics as metadata."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from nip.errors import DatasetError
from nip.scenarios.code_validation.generation.datapoints import (
    GeneratedDatapoint,
    buggy_datapoint,
    correct_datapoint,
)
from nip.scenarios.code_validation.generation.dataset_builder import DatasetBuilderParameters
from nip.scenarios.code_validation.generation.dataset_writer import statistics, write_dataset
from nip.scenarios.code_validation.generation.verification import Failure
from nip.scenarios.code_validation.problems.collection import choose_problems

SECOND, FIRST = choose_problems(["run_lengths", "check_digit"])


def buggy(share: float, kind: str = "wrong_answer", mutation: str = "sign") -> GeneratedDatapoint:
    failure = Failure(kind, "[1]", "2", "3", share)
    return buggy_datapoint(FIRST, "def solve(x): return 3", "mutation", 10, failure, mutation)


DATAPOINTS = [
    correct_datapoint(FIRST, "def solve(x): return 'é'", "rewrite", 10),
    correct_datapoint(SECOND, "def solve(x): return 2", "rewrite", 10),
    buggy(0.05),
    buggy(0.1, kind="timeout"),
    buggy(0.6, mutation="jump"),
]


def test_statistics_are_counts_by_property_and_band() -> None:
    assert statistics(DATAPOINTS) == {
        "num_datapoints": 5,
        "num_correct": 2,
        "num_problems": 2,
        "problems": {"check_digit": 1, "run_lengths": 4},
        "topics": {FIRST.topic: 4, SECOND.topic: 1},
        "origins": {"mutation": 3, "rewrite": 2},
        "kinds_of_bugs": {"timeout": 1, "wrong_answer": 2},
        "mutations": {"jump": 1, "sign": 2},
        "tests_failed_share": {
            "mean": 0.25,
            "up_to_0.05": 1,
            "up_to_0.2": 1,
            "up_to_0.6": 1,
            "up_to_1.0": 0,
        },
    }


def test_without_buggy_programs_there_is_no_mean_share() -> None:
    assert statistics(DATAPOINTS[:2])["tests_failed_share"]["mean"] is None


def test_rows_and_metadata_are_written_and_not_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    splits = {"train": DATAPOINTS, "test": DATAPOINTS[:1]}
    write_dataset(folder, splits, DatasetBuilderParameters(seed=3), ["run_lengths"])
    text = (folder / "raw/train/data.jsonl").read_text(encoding="utf-8")
    assert [json.loads(line) for line in text.splitlines()] == list(map(asdict, DATAPOINTS))
    assert list(json.loads(text.splitlines()[0]))[:3] == ["question", "solution", "y"]
    assert "é" in text
    metadata = json.loads((folder / "metadata.json").read_text())
    assert (metadata["seed"], metadata["problems"]) == (3, ["run_lengths"])
    assert metadata["statistics"]["test"] == statistics(DATAPOINTS[:1])
    with pytest.raises(DatasetError, match="exists already"):
        write_dataset(folder, splits, DatasetBuilderParameters(), [])
