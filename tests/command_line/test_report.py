"""What the terminal says of an experiment with networks that was not run."""

import pytest
from rich.console import Console

from nip.command_line.report import print_plan
from nip.experiment.plan import AgentPlan, ExperimentPlan, IterationPlan
from nip.parameters import HyperParameters

PROVER = AgentPlan("prover", is_random=False, num_weights={"body": 1200, "policy_head": 34})
VERIFIER = AgentPlan("verifier", is_random=False, num_weights={"body": 5, "solo_head": 6})
ROLLOUTS = IterationPlan(num_environments=9, num_steps=8, num_updates=12)


def shown(*agents: AgentPlan, rollouts: IterationPlan | None = ROLLOUTS) -> list[str]:
    """Return the lines on the terminal, without the borders of the tables."""
    hyper_params = HyperParameters(
        scenario="toy",
        dataset="witness",
        trainer="vanilla_ppo",
        interaction_protocol="adp",
        rl={"num_iterations": 5},
    )
    plan = ExperimentPlan(
        agents or (PROVER,),
        num_train_datapoints=70,
        num_test_datapoints=30,
        num_iterations=15,
        rollouts=rollouts,
    )
    console = Console(width=120)
    with console.capture() as capture:
        print_plan(hyper_params, plan, console)
    lines = (line.replace("│", " ").replace("┃", " ") for line in capture.get().splitlines())
    return [" ".join(line.split()) for line in lines]


@pytest.mark.parametrize(
    "line",
    [
        "scenario toy, dataset witness",
        "protocol adp",
        "trainer vanilla_ppo",
        "datapoints 70 to train on, 30 to test on",
        "iterations 15",
        "of these 5 to train, the rest to test",
        "environments 9",
        "steps 8 per environment and iteration",
        "frames 72 per iteration",
        "updates 12 per iteration",
        "Nothing was trained or written (dry_run=true).",
    ],
)
def test_every_size_stands_in_a_line_of_its_own(line: str) -> None:
    assert line in shown()


def test_without_rollouts_nothing_is_said_of_them() -> None:
    text = "\n".join(shown(rollouts=None))
    assert "iterations 15" in text
    for word in ("environment", "frames", "updates", "of these"):
        assert word not in text


def test_weights_stand_below_their_parts_and_a_part_that_an_agent_lacks_is_zero() -> None:
    lines = shown(PROVER, VERIFIER)
    assert "agent body policy_head solo_head all parts" in lines
    assert "prover 1,200 34 0 1,234" in lines
    assert "verifier 5 0 6 11" in lines


def test_an_agent_that_acts_at_random_is_marked() -> None:
    lines = shown(AgentPlan("prover", is_random=True, num_weights={"body": 0}), VERIFIER)
    assert "prover (random) 0 0 0" in lines
    assert "verifier 5 6 11" in lines
