"""Planned calls and costs, computed by hand for each protocol."""

import warnings

import pytest

from nip.errors import NipWarning
from nip.experiment_settings import ExperimentSettings
from nip.factory import build_scenario_instance
from nip.language_models.costs.prices import Price, Prices
from nip.trainers.text.plan import make_text_plan
from tests.text_experiments import make_text_params

ROUNDS = {"max_message_rounds": 4}


def plan_of(prices=None, **changes):
    """Plan two iterations of 12 rollouts, without tests unless they are asked for."""
    params = make_text_params(**{"text_rl": {}, **changes})
    instance = build_scenario_instance(params, ExperimentSettings(progress=False))
    return make_text_plan(params, instance, prices), instance


def calls(plan):
    return {agent.name: agent.num_calls for agent in plan.agents}


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        # The verifier writes in rounds 0 and 2, everybody else in 1; nobody would read round 3.
        ({"interaction_protocol": "nip"}, {"prover": 1, "verifier": 2}),
        (
            {"interaction_protocol": "debate", "debate_protocol": ROUNDS},
            {"prover0": 1, "prover1": 1, "verifier": 2},
        ),
        # One after the other: the verifier in 0 and 3, the provers in 1 and 2.
        (
            {
                "interaction_protocol": "debate",
                "debate_protocol": {**ROUNDS, "sequential": True},
            },
            {"prover0": 1, "prover1": 1, "verifier": 2},
        ),
        # The episode decides which of the two writes, so each does at most.
        ({"interaction_protocol": "merlin_arthur"}, {"prover0": 1, "prover1": 1, "verifier": 1}),
        ({"interaction_protocol": "adp"}, {"prover": 1, "verifier": 1}),
        ({"interaction_protocol": "solo_verifier"}, {"verifier": 1}),
    ],
    ids=["nip", "debate", "sequential debate", "merlin_arthur", "adp", "solo_verifier"],
)
def test_calls_are_turns_times_rollouts(protocol, expected):
    plan, _ = plan_of(**protocol)
    assert plan.num_rollouts == 24
    assert calls(plan) == {name: 24 * turns for name, turns in expected.items()}


def test_rollouts_of_tests_are_counted():
    plan, instance = plan_of(text_rl={"test_scheme": "last"})
    assert plan.num_test_datapoints == len(instance.test_dataset)
    assert plan.num_rollouts == 24 + len(instance.test_dataset)
    some = {"test_scheme": "all", "test_on_whole_dataset": False}
    plan, _ = plan_of(text_rl=some, rl={"rollouts_per_iteration": 5})
    assert plan.num_rollouts == 10 + 10


def test_which_agents_are_trained():
    agents = {"verifier": {"freeze_agent": True, "use_dummy_api": True}}
    plan, _ = plan_of(agents={"_default": {"use_dummy_api": True}, **agents})
    assert [(agent.name, agent.learns) for agent in plan.agents] == [
        ("prover", True),
        ("verifier", False),
    ]
    # Nobody learns from the last iteration.
    plan, _ = plan_of(rl={"num_iterations": 1})
    assert not any(agent.learns for agent in plan.agents)
    plan, _ = plan_of(every_agent={"shared_model_group": "both"})
    assert {agent.group for agent in plan.agents} == {"both"}


def words_in_prompts(plan, instance, agent):
    """Return the words of the messages before, without those of the system prompt."""
    from nip.trainers.text.average_dialogue import words_of_system_prompt

    (words,) = {part.plan.prompt_words for part in plan.estimate.parts if part.plan.agent == agent}
    return words - words_of_system_prompt(agent, instance)


def test_prompts_grow_with_the_messages_before_them():
    every_agent = {"max_response_words": 90}
    plan, instance = plan_of(every_agent=every_agent)
    # The prover reads 1 message of 90 words, the verifier none and then 2.
    assert words_in_prompts(plan, instance, "prover") == pytest.approx(90)
    assert words_in_prompts(plan, instance, "verifier") == pytest.approx(90 * (0 + 2) / 2)
    protocol = {"interaction_protocol": "debate", "debate_protocol": ROUNDS}
    plan, instance = plan_of(every_agent=every_agent, **protocol)
    # Round 1 has two messages.
    assert words_in_prompts(plan, instance, "prover1") == pytest.approx(90)
    assert words_in_prompts(plan, instance, "verifier") == pytest.approx(90 * (0 + 3) / 2)


def test_tokens_and_dollars_follow_from_words():
    prices = Prices({"m": Price(3.0, 10.0), "ft:m": Price(6.0, 20.0)})
    plan, _ = plan_of(prices, every_agent={"model_name": "m", "max_response_words": 90})
    # 24 rollouts with 3 messages of 90 words, at 4 tokens for 3 words.
    assert plan.estimate.usage.completion_tokens == 24 * 3 * 120
    first, later = (
        [part for part in plan.estimate.parts if part.plan.model.model_name == name]
        for name in ("m", "ft:m")
    )
    for parts, rate in ((first, 1), (later, 2)):
        read = sum(part.usage.prompt_tokens for part in parts)
        written = sum(part.usage.completion_tokens for part in parts)
        assert written == 12 * 3 * 120
        cost = rate * (read * 3 + written * 10) / 1e6
        assert sum(part.cost for part in parts) == pytest.approx(cost)
    assert plan.estimate.models_without_price == []


def test_a_rehearsal_shows_what_the_models_would_cost():
    plan, _ = plan_of()
    assert plan.rehearses
    assert plan.estimate.cost > 0
    assert plan.agents[0].model == "rehearsal: gpt-4o-mini-2024-07-18"


def test_a_model_without_price_is_named():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NipWarning)
        plan, _ = plan_of(every_agent={"model_name": "my-own", "freeze_agent": True})
    assert {model.model_name for model in plan.estimate.models_without_price} == {"my-own"}
    assert plan.estimate.cost == 0


def test_the_estimate_of_a_rehearsal_is_not_that_of_another_provider():
    plan, _ = plan_of(every_agent={"model_provider": "mine", "freeze_agent": True})
    models = plan.estimate.models_without_price
    assert {(model.provider, model.model_name) for model in models} == {
        ("mine", "gpt-4o-mini-2024-07-18")
    }
    assert plan.estimate.cost == 0
