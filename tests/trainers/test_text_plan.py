"""What a dry run says of an experiment with language models."""

import pytest

from nip.run import prepare_experiment
from nip.trainers.text_plan import TextPlan
from tests.text_experiments import make_text_params


def plan_of(**changes: object) -> TextPlan:
    plan = prepare_experiment(make_text_params(**changes))
    assert isinstance(plan, TextPlan)
    return plan


def test_calls_are_those_of_the_longest_dialogues() -> None:
    # Two iterations of 12 and two tests of 12, in each of which either agent writes twice.
    plan = plan_of()
    assert plan.num_rollouts == 48
    assert [(agent.name, agent.num_calls) for agent in plan.agents] == [
        ("prover", 96),
        ("verifier", 96),
    ]
    assert plan.estimate.num_calls == 192


@pytest.mark.parametrize(
    ("num_iterations", "test_scheme", "ratio"),
    [(1, "none", 1.0), (2, "none", 1.5), (4, "none", 1.75), (3, "last", 1.75), (2, "all", 1.5)],
)
def test_models_are_charged_as_fine_tuned_ones_after_the_first_iteration(
    num_iterations: int, test_scheme: str, ratio: float
) -> None:
    # A fine-tuned gpt-4o-mini costs twice as much, prompts and answers alike.
    groups = {"rl": {"num_iterations": num_iterations}, "text_rl": {"test_scheme": test_scheme}}
    frozen = plan_of(**groups, every_agent={"freeze_agent": True})
    learning = plan_of(**groups)
    assert learning.estimate.cost == pytest.approx(ratio * frozen.estimate.cost, rel=1e-4)


def test_a_model_without_a_price_is_named_in_both_its_forms() -> None:
    plan = plan_of(every_agent={"model_name": "mine"})
    names = [model.model_name for model in plan.estimate.models_without_price]
    assert names == ["ft:mine", "mine"]
    assert plan.estimate.cost == 0
