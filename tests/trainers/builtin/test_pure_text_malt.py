"""Preferences of response trees become jobs: which of the pairs the verifier learns from."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import nip.scenarios.quotes
from nip.run_store.reading import read_history
from tests.text_experiments import run_text_experiment

pytestmark = pytest.mark.filterwarnings("ignore:Group .* fine-tuning examples")


def verifier_pairs(folder: Path, changes: dict[str, Any], **malt: object) -> list[tuple[str, str]]:
    """Run one job of each agent, and return the answers of the verifier's pairs."""
    run_text_experiment(
        folder,
        "run",
        **{
            "trainer": "pure_text_malt",
            "interaction_protocol": "adp",
            "rl": {"num_iterations": 2, "rollouts_per_iteration": 9},
            "text_rl": {},
            "pure_text_malt": {"num_responses_per_timestep": 3, **malt},
            **changes,
        },
    )
    (path,) = (folder / "run" / "fine_tuning").glob("*verifier*.jsonl")
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    sides = ("preferred_output", "non_preferred_output")
    return [tuple(line[side][0]["content"] for side in sides) for line in lines]


def preferred_verdicts(folder: Path, **malt: object) -> Counter[str]:
    """Run one job of each agent, and count the last words that its verifier prefers."""
    pairs = verifier_pairs(folder, {}, **malt)
    return Counter(preferred.rsplit(" ", 1)[-1] for preferred, _ in pairs)


def test_balanced_pairs_prefer_acceptance_as_often_as_rejection(tmp_path: Path) -> None:
    every = preferred_verdicts(tmp_path / "every")
    balanced = preferred_verdicts(tmp_path / "balanced", balance_verdicts=True)
    assert every["accept"] != every["reject"]
    assert balanced["accept"] == balanced["reject"] == min(every["accept"], every["reject"]) > 0
    assert set(balanced) == {"accept", "reject"}


def test_more_pairs_can_prefer_rejection(tmp_path: Path) -> None:
    found = preferred_verdicts(tmp_path, balance_verdicts=True, reject_weight=2.0)
    assert found["reject"] == 2 * found["accept"] > 0


def test_fewer_pairs_can_prefer_acceptance_without_balance(tmp_path: Path) -> None:
    every = preferred_verdicts(tmp_path / "every")
    found = preferred_verdicts(tmp_path / "weighted", reject_weight=2.0)
    assert found == Counter({**every, "accept": round(every["accept"] / 2)})


def test_verdicts_can_be_corrected_where_all_are_wrong(tmp_path: Path) -> None:
    text_rl = {"verifier_guess_replacement_proportion": 1.0}
    without = verifier_pairs(tmp_path / "without", {})
    pairs = verifier_pairs(tmp_path / "with", {"text_rl": text_rl})
    # The first iteration is sampled by the same models, so that the other pairs are the same.
    others = [pair for pair in pairs if pair not in without]
    assert [pair for pair in pairs if pair in without] == without
    assert len(others) > 1
    for preferred, other in others:
        assert preferred.split("Decision: ")[0].strip() == other.split("Decision: ")[0].strip()
        assert preferred.rsplit(" ", 1)[-1] != other.rsplit(" ", 1)[-1].lower()


def test_invalid_answers_are_the_worse_ones_of_further_pairs_on_request(tmp_path: Path) -> None:
    rules = Path(nip.scenarios.quotes.__file__).with_name("rehearsal_rules.yaml").read_text("utf-8")
    verdicts = 'answers: ["Decision: $accept", "Decision: $reject"'
    assert verdicts in rules
    brain = tmp_path / "rules.yaml"
    brain.write_text(rules.replace(verdicts, f'{verdicts}, "Decision: unsure"'), "utf-8")
    changes = {
        "scenario": "quotes",
        "dataset": "facts",
        "rehearsal": {"brain_file": str(brain)},
        "rl": {"num_iterations": 2, "rollouts_per_iteration": 20},
    }
    without = verifier_pairs(tmp_path / "without", changes)
    pairs = verifier_pairs(tmp_path / "with", changes, pair_invalid=True)
    # The first iteration is sampled by the same models, so that the other pairs are the same.
    unsure = [pair for pair in pairs if "Decision: unsure" in pair]
    assert len(unsure) > 5
    assert {other for _, other in unsure} == {"Decision: unsure"}
    assert [pair for pair in pairs if pair not in unsure] == without
    assert "Decision: unsure" not in {text for pair in without for text in pair}
    counts = [
        dict(read_history(tmp_path / name / "run").values("verifier.num_pairs_round_2"))[1]
        for name in ("without", "with")
    ]
    assert counts == [len(without), len(pairs)]
