"""The estimate of a run agrees with the bill of its rehearsal, and its worst case is above it."""

from pathlib import Path
from typing import Any

import pytest

from nip.errors import ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.factory import build_scenario_instance
from nip.language_models.costs.prices import Price, Prices
from nip.run import prepare_experiment
from nip.trainers.text.plan import make_text_plan
from tests.end_to_end.rehearsals import result_of, run_quietly
from tests.text_experiments import make_text_params

PRICES = """
gpt-4o-mini: {prompt: 150, completion: 600, training: 300}
ft:gpt-4o-mini: {prompt: 300, completion: 1200, training: 300}
"""


@pytest.mark.parametrize(
    "changes",
    [
        {"rl": {"num_iterations": 3, "rollouts_per_iteration": 24}},
        {
            "pure_text_ei": {"rollout_selection_method": "threshold", "reward_threshold": 0.5},
            "rl": {"num_iterations": 3, "rollouts_per_iteration": 48},
        },
        {
            "interaction_protocol": "debate",
            "debate_protocol": {"max_message_rounds": 4},
            "fine_tuning": {"n_epochs": 2},
            "text_rl": {"fine_tune_on_all_previous_rollouts": True, "test_scheme": "last"},
        },
        {
            "rl": {"num_iterations": 3, "rollouts_per_iteration": 24},
            "text_rl": {"test_scheme": "all", "judge_by_first_verifier": True},
        },
        {"trainer": "pure_text_malt", "rl": {"num_iterations": 3, "rollouts_per_iteration": 24}},
        {"trainer": "pure_text_malt", "interaction_protocol": "merlin_arthur"},
        # Too few examples for a job.
        {"rl": {"rollouts_per_iteration": 6}, "text_rl": {}},
    ],
    ids=["nip", "threshold", "debate", "judged", "trees", "trees of merlin_arthur", "no job"],
)
@pytest.mark.filterwarnings("ignore:Group .* fine-tuning examples")
def test_the_estimate_agrees_with_the_bill_of_the_rehearsal(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "prices.yaml").write_text(PRICES)
    prices = str(tmp_path / "prices.yaml")
    params = make_text_params(**changes)
    plan = prepare_experiment(params, settings=ExperimentSettings(progress=False, prices=prices))
    run_quietly(params, tmp_path, prices=prices)
    result = result_of(tmp_path)
    bill = result["bill"]
    assert result["cost"] == pytest.approx(bill["sampling_cost"] + bill["training_cost"])
    assert 0.8 <= plan.expected.total / bill["cost"] <= 1.25
    assert plan.worst.total >= bill["cost"]
    assert plan.worst.sampling >= bill["sampling_cost"] > 0
    assert plan.worst.training >= bill["training_cost"]
    # A job of the mock API trains three times on its examples unless told otherwise.
    trains = "text_rl" not in changes or bool(changes["text_rl"])
    assert (bill["training_cost"] > 0) is trains
    if not trains:
        assert plan.expected.training == 0


def plan_of(**changes: Any):
    params = make_text_params(**{"text_rl": {}, **changes})
    instance = build_scenario_instance(params, ExperimentSettings(progress=False))
    # A read token costs a dollar, and nothing else anything.
    prices = Prices({"m": Price(1e6, 0.0, training=0.0)})
    return make_text_plan(params, instance, prices)


def test_the_worst_case_is_that_of_full_answers_and_a_token_for_each_byte() -> None:
    every_agent = {"model_name": "m", "max_tokens_per_message": 100}
    rl = {"num_iterations": 1, "rollouts_per_iteration": 12}
    plan = plan_of(every_agent=every_agent, rl=rl)
    # Three messages of 100 tokens in each of 12 dialogues: nobody reads a second of the prover.
    assert plan.worst.usage.completion_tokens == 12 * 3 * 100
    assert plan.worst.trained_tokens == 0
    longer = plan_of(every_agent={**every_agent, "max_tokens_per_message": 101}, rl=rl)
    # The second message is preceded by one, and the third by two.
    difference = longer.worst.usage.prompt_tokens - plan.worst.usage.prompt_tokens
    assert difference == 12 * (0 + 1 + 2)
    assert plan.worst.sampling == pytest.approx(plan.worst.usage.prompt_tokens)


def test_a_tree_asks_in_each_round_as_many_times_more_as_there_are_responses() -> None:
    every_agent = {"model_name": "m", "max_tokens_per_message": 100}
    rl = {"num_iterations": 1, "rollouts_per_iteration": 12}
    malt = {"num_responses_per_timestep": 3}
    changes = {"trainer": "pure_text_malt", "pure_text_malt": malt, "rl": rl}
    plan = plan_of(every_agent=every_agent, **changes)
    # Verifier, prover, verifier: 3, 9 and 27 messages for each of 12 datapoints.
    assert plan.worst.usage.completion_tokens == 12 * (3 + 9 + 27) * 100
    assert {agent.name: agent.num_calls for agent in plan.agents} == {
        "prover": 12 * 9,
        "verifier": 12 * (3 + 27),
    }
    assert plan.num_rollouts == 12
    longer = plan_of(every_agent={**every_agent, "max_tokens_per_message": 101}, **changes)
    difference = longer.worst.usage.prompt_tokens - plan.worst.usage.prompt_tokens
    assert difference == 12 * (0 * 3 + 1 * 9 + 2 * 27)


@pytest.mark.parametrize("pair_invalid", [False, True])
def test_a_tree_trains_in_the_worst_case_on_a_pair_at_each_point(pair_invalid: bool) -> None:
    changes = {
        "trainer": "pure_text_malt",
        "fine_tuning": {"n_epochs": 1},
        "pure_text_malt": {"pair_invalid": pair_invalid},
    }
    plans = [
        plan_of(every_agent={"model_name": "m", "max_tokens_per_message": limit}, **changes)
        for limit in (100, 101)
    ]
    # The verifier has 1 + 4 points in each of 12 trees, the prover 2. An example of the verifier
    # has two answers after at most two messages, one of the prover two answers after one.
    difference = plans[1].worst.trained_tokens - plans[0].worst.trained_tokens
    # With invalid answers there may be another pair at each point.
    assert difference == (1 + pair_invalid) * 12 * (5 * (2 + 2) + 2 * (1 + 2))


def test_the_first_verifier_is_called_once_for_each_dialogue_of_later_tests() -> None:
    every_agent = {"model_name": "m", "max_tokens_per_message": 100}
    text_rl = {"test_scheme": "all"}
    judged = {**text_rl, "judge_by_first_verifier": True}
    without, given = (
        plan_of(every_agent=every_agent, text_rl=each, rl={"num_iterations": 3})
        for each in (text_rl, judged)
    )
    number = 2 * without.num_test_datapoints
    assert given.num_rollouts == without.num_rollouts
    before, after = (
        {agent.name: agent.num_calls for agent in plan.agents} for plan in (without, given)
    )
    assert after == {"prover": before["prover"], "verifier": before["verifier"] + number}
    tokens = given.worst.usage.completion_tokens - without.worst.usage.completion_tokens
    assert tokens == 100 * number
    # A frozen verifier, forced verdicts, and no prover leave nothing to judge.
    for changes in (
        {"agents": {"_default": {"use_dummy_api": True, "freeze_agent": True}}},
        {"protocol_common": {"force_guess": "y"}},
        {"interaction_protocol": "solo_verifier"},
    ):
        assert plan_of(text_rl=judged, **changes).worst == plan_of(text_rl=text_rl, **changes).worst


def test_policy_gradients_train_in_the_worst_case_on_each_response_of_a_tree() -> None:
    changes = {"trainer": "pure_text_grpo", "fine_tuning": {"n_epochs": 1, "backend": "local"}}
    plans = [
        plan_of(every_agent={"model_name": "m", "max_tokens_per_message": limit}, **changes)
        for limit in (100, 101)
    ]
    # In each of 12 trees the verifier has 2 + 8 responses, after at most two messages, and the
    # prover 4 after one.
    difference = plans[1].worst.trained_tokens - plans[0].worst.trained_tokens
    assert difference == 12 * (10 * (2 + 1) + 4 * (1 + 1))
    # Half of the groups are expected to have different rewards, with two responses each.
    assert 0 < plans[0].expected.trained_tokens < plans[0].worst.trained_tokens


def test_a_tree_must_not_be_too_large() -> None:
    with pytest.raises(ParameterError, match=r"num_responses_per_timestep=200.* 8000000 dialogues"):
        plan_of(trainer="pure_text_malt", pure_text_malt={"num_responses_per_timestep": 200})


def test_training_in_the_worst_case_sees_all_rollouts_in_all_epochs() -> None:
    every_agent = {"model_name": "m"}
    once = plan_of(every_agent=every_agent, fine_tuning={"n_epochs": 1})
    five = plan_of(every_agent=every_agent, fine_tuning={"n_epochs": 5})
    assert five.worst.trained_tokens == 5 * once.worst.trained_tokens > 0
    # With 12 examples, a service may choose as many passes as lead to a hundred of them.
    auto = plan_of(every_agent=every_agent)
    assert auto.worst.trained_tokens == pytest.approx(
        100 / 12 * once.worst.trained_tokens, rel=1e-4
    )


def test_a_real_model_is_expected_to_write_less_than_it_may() -> None:
    scripted = {"model_name": "m", "use_dummy_api": False, "max_response_words": 90}
    plan = plan_of(
        agents={"_default": {**scripted, "base_url": "http://localhost:1/v1", "freeze_agent": True}}
    )
    # 24 dialogues with three messages of 0.6 · 90 words, at 4 tokens for 3 words.
    assert plan.expected.usage.completion_tokens == 24 * 3 * 72
    assert plan.estimate.usage.completion_tokens == 24 * 3 * 120
