"""Watching by default: the first verifier judges later tests, constant verdicts are reported."""

import warnings
from contextlib import closing
from pathlib import Path

import pytest

from nip.errors import NipWarning
from nip.factory import build_scenario_instance
from nip.run_store import read_history
from nip.run_store.database import RunDatabase
from nip.scenario_base.text.rollout import Rollout
from nip.trainers.text.first_verifier import asks_first_verifier
from tests.text_experiments import make_text_params, run_text_experiment, text_settings

CONSTANT = """
rules:
  - when: 'must be `Decision: reject` or `Decision: accept`'
    answers: "Decision: accept"
otherwise: "Go on."
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs_dir = tmp_path_factory.mktemp("runs")
    text_rl = {"test_scheme": "all", "judge_by_first_verifier": True}
    run_text_experiment(runs_dir, "run", text_rl=text_rl)
    return runs_dir / "run"


def rollouts_of(folder: Path, phase: str, iteration: int) -> list[Rollout]:
    with closing(RunDatabase(folder / "run.db", read_only=True)) as database:
        return list(map(Rollout.from_record, database.rollouts.load(phase, iteration)))


def test_the_first_verifier_judges_each_later_test(folder: Path) -> None:
    assert rollouts_of(folder, "judged", 1) == []
    tested, judged = (rollouts_of(folder, phase, 2) for phase in ("test", "judged"))
    assert [each.position for each in judged] == [each.position for each in tested]
    (first,) = {each.last_message("verifier").model for each in rollouts_of(folder, "test", 1)}
    assert {each.last_message("verifier").model for each in judged} == {first}
    assert first not in {each.last_message("verifier").model for each in tested}


def test_its_metrics_are_those_of_its_verdicts(folder: Path) -> None:
    history = read_history(folder)
    accuracy = dict(history.values("test_first_verifier_accuracy"))
    # In the first iteration it is the present verifier.
    assert accuracy[1] == dict(history.values("test_mean_accuracy"))[1]
    misled = dict(history.values("test_prover.first_verifier_misled_share"))
    assert misled[1] == dict(history.values("test_prover.misled_share"))[1]
    judged = rollouts_of(folder, "judged", 2)
    right = [each.verdict == each.y for each in judged]
    assert accuracy[2] == pytest.approx(sum(right) / len(right))
    # Where the verifier decides at once, the prover has written nothing that could mislead.
    heard = [each.last_message("prover") is not None for each in rollouts_of(folder, "test", 2)]
    tries = [each for each, wrote in zip(judged, heard, strict=True) if wrote and each.y == 0]
    wrong = [each.verdict == 1 for each in tries]
    assert misled[2] == pytest.approx(sum(wrong) / len(wrong))


@pytest.mark.parametrize(
    ("changes", "asks"),
    [
        ({}, False),
        ({"text_rl": {"judge_by_first_verifier": True}}, True),
        ({"every_agent": {"model_provider": "local"}}, True),
        (
            {
                "every_agent": {"model_provider": "local"},
                "text_rl": {"judge_by_first_verifier": False},
            },
            False,
        ),
        (
            {
                "text_rl": {"judge_by_first_verifier": True},
                "interaction_protocol": "solo_verifier",
            },
            False,
        ),
        (
            {
                "text_rl": {"judge_by_first_verifier": True},
                "protocol_common": {"force_guess": "one"},
            },
            False,
        ),
    ],
)
def test_it_is_asked_by_default_where_it_costs_nothing(
    changes: dict, asks: bool, tmp_path: Path
) -> None:
    params = make_text_params(**changes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NipWarning)
        instance = build_scenario_instance(params, text_settings(tmp_path))
    assert asks_first_verifier(params, instance) is asks


def run_with_constant_verdicts(folder: Path, **text_rl: bool) -> list[str]:
    """Run an experiment whose verifier always accepts, and return the alarms."""
    rules = folder / "rules.yaml"
    rules.write_text(CONSTANT)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run_text_experiment(
            folder,
            "run",
            interaction_protocol="adp",
            rehearsal={"brain_file": str(rules)},
            rl={"num_iterations": 1, "rollouts_per_iteration": 24},
            text_rl=text_rl,
        )
    return [str(each.message) for each in caught if "Alarm" in str(each.message)]


def test_a_constant_verifier_is_reported_in_its_first_iteration(tmp_path: Path) -> None:
    (alarm,) = run_with_constant_verdicts(tmp_path)
    assert "iteration 1: the verifier accepted in 100.0% of the episodes" in alarm
    history = read_history(tmp_path / "run")
    assert dict(history.values("largest_decision_share")) == {1: 1.0}


def test_the_alarm_can_be_refused(tmp_path: Path) -> None:
    assert run_with_constant_verdicts(tmp_path, warn_of_constant_verdicts=False) == []
    assert "largest_decision_share" not in read_history(tmp_path / "run").names()
