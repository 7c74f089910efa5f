"""In a rehearsal every agent of every protocol gives valid answers, and verdicts vary."""

import asyncio
from pathlib import Path

import pytest

from nip.experiment_settings import ExperimentSettings
from nip.language_models.answer_rules import AnswerRules, recall_key
from nip.language_models.chat import Completion, TokenUsage
from nip.language_models.engine.call import Call
from nip.parameters import HyperParameters
from nip.protocols import build_protocol_handler
from nip.scenario_base.text.agent import TextAgent
from nip.scenario_base.text.answers.decision_scales import DECISION_SCALES
from nip.scenario_base.text.conversation import Conversation
from nip.scenario_base.text.datapoint import TextDatapoint
from nip.scenario_base.text.dialogue_rules import DialogueRules
from nip.scenario_base.text.play import play_rollout
from nip.scenario_base.text.rollout import Rollout, RolloutPlan
from nip.scenarios.code_validation import agent_specs
from nip.scenarios.code_validation.scenario import CodeValidationScenario

FOLDER = Path(agent_specs.__file__).parent
RULES = AnswerRules.from_file(FOLDER / "rehearsal_rules.yaml")
PROTOCOLS = ["adp", "debate", "merlin_arthur", "mnip", "nip", "solo_verifier"]
DATAPOINT = TextDatapoint("d", "Return the largest number.", "def f(x):\n    return max(x)", 1, 0)


def build(protocol: str, **tree) -> tuple[DialogueRules, dict[str, TextAgent]]:
    params = HyperParameters.from_dict(
        {
            "scenario": "code_validation",
            "trainer": "pure_text_ei",
            "dataset": "test",
            "interaction_protocol": protocol,
            "agents": {"_default": {"use_dummy_api": True}},
            **tree,
        }
    )
    handler = build_protocol_handler(params)
    scenario = CodeValidationScenario(params, ExperimentSettings())
    return scenario.dialogue_rules(handler), scenario.build_agents(handler)


def play(
    rules: DialogueRules, agents: dict[str, TextAgent], seed: int, recall: dict[str, str]
) -> Rollout:
    async def complete(call: Call) -> Completion:
        text = RULES.answer(call.messages, call.sampling.seed, recall)
        return Completion(text, "stop", TokenUsage(), "m")

    plan = RolloutPlan(position=0, datapoint=0, copy=0, seed=seed)
    return asyncio.run(play_rollout(rules, agents, DATAPOINT, plan, complete))


def play_many(protocol: str, num_dialogues: int, **tree) -> list[Rollout]:
    rules, agents = build(protocol, **tree)
    return [play(rules, agents, seed, {}) for seed in range(num_dialogues)]


def assert_all_valid(rollouts: list[Rollout]) -> None:
    for rollout in rollouts:
        assert rollout.status == "completed" and not rollout.is_terminated
        assert all(not message.problems for message in rollout.messages)


def assert_valid_with_both_verdicts(protocol: str, scale: str) -> None:
    rollouts = play_many(protocol, 20, code_validation={"decision_scale": scale})
    assert_all_valid(rollouts)
    # If verdicts are random, the probability of fewer or more is 4e-4.
    assert 3 <= sum(rollout.verdict for rollout in rollouts) <= 17


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_answer_is_valid_and_both_verdicts_occur(protocol: str) -> None:
    assert_valid_with_both_verdicts(protocol, "accept_reject")


@pytest.mark.parametrize("scale", sorted(DECISION_SCALES))
def test_every_scale_has_valid_answers_with_both_verdicts(scale: str) -> None:
    assert_valid_with_both_verdicts("solo_verifier", scale)


@pytest.mark.slow
@pytest.mark.parametrize("scale", sorted(DECISION_SCALES))
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_scale_works_in_every_protocol(protocol: str, scale: str) -> None:
    assert_valid_with_both_verdicts(protocol, scale)


@pytest.mark.parametrize("protocol", ["debate", "mnip", "nip"])
def test_answers_stay_valid_when_provers_begin(protocol: str) -> None:
    assert_all_valid(play_many(protocol, 5, protocol_common={"verifier_first": False}))


@pytest.mark.parametrize("protocol", ["adp", "debate", "mnip", "nip"])
def test_answers_stay_valid_when_all_are_on_one_side(protocol: str) -> None:
    assert_all_valid(play_many(protocol, 5, protocol_common={"shared_reward": True}))


@pytest.mark.parametrize("protocol", ["debate", "mnip"])
def test_answers_stay_valid_when_provers_take_turns_and_decisions_come_late(protocol: str) -> None:
    group = {"sequential": True, "min_message_rounds": 5, "max_message_rounds": 9}
    assert_all_valid(play_many(protocol, 5, **{f"{protocol}_protocol": group}))


def test_a_prover_argues_for_what_the_datapoint_lays_down() -> None:
    rollouts = play_many("nip", 3, protocol_common={"randomize_prover_stance": True})
    said = [
        each.text for rollout in rollouts for each in rollout.messages if each.agent == "prover"
    ]
    assert said
    assert all(text.startswith("The solution is wrong.") for text in said)


def test_verifiers_sometimes_decide_before_their_last_message() -> None:
    lengths = {len(rollout.messages) for rollout in play_many("nip", 40)}
    # With 8 rounds and the verifier first it writes in rounds 1, 3, 5 and 7.
    assert lengths == {1, 3, 5, 7}


def test_what_was_learnt_is_said_again() -> None:
    rules, agents = build("adp")
    conversation = Conversation(rules, DATAPOINT, 0)
    learnt = {
        "prover": "Mind the empty list.",
        "verifier": "The empty list breaks it.\n\nDecision: reject",
    }
    recall = {
        recall_key(conversation.messages_for(agent, 0, ())): text for agent, text in learnt.items()
    }
    for seed in range(5):
        rollout = play(rules, agents, seed, recall)
        assert {each.agent: each.text for each in rollout.messages} == learnt
