"""Preferences of response trees become jobs: which of the pairs the verifier learns from."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.text_experiments import run_text_experiment

pytestmark = pytest.mark.filterwarnings("ignore:Group .* fine-tuning examples")


def preferred_verdicts(folder: Path, **malt: object) -> Counter[str]:
    """Run one job of each agent, and count the last words that its verifier prefers."""
    run_text_experiment(
        folder,
        "run",
        trainer="pure_text_malt",
        interaction_protocol="adp",
        rl={"num_iterations": 2, "rollouts_per_iteration": 9},
        text_rl={},
        pure_text_malt={"num_responses_per_timestep": 3, **malt},
    )
    (path,) = (folder / "run" / "fine_tuning").glob("*verifier*.jsonl")
    answers = [
        json.loads(line)["preferred_output"][0]["content"]
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    return Counter(answer.rsplit(" ", 1)[-1] for answer in answers)


def test_balanced_pairs_prefer_acceptance_as_often_as_rejection(tmp_path: Path) -> None:
    every = preferred_verdicts(tmp_path / "every")
    balanced = preferred_verdicts(tmp_path / "balanced", balance_verdicts=True)
    assert every["accept"] != every["reject"]
    assert balanced["accept"] == balanced["reject"] == min(every["accept"], every["reject"]) > 0
    assert set(balanced) == {"accept", "reject"}


def test_more_pairs_can_prefer_rejection(tmp_path: Path) -> None:
    found = preferred_verdicts(tmp_path, balance_verdicts=True, reject_weight=2.0)
    assert found["reject"] == 2 * found["accept"] > 0
