"""What agents are told about their rewards is what their tables pay."""

from dataclasses import replace
from pathlib import Path

import pytest

import tests.scenario_base.text.critics as critics
from nip.errors import ParameterError, ProtocolError
from nip.protocols import AgentRewards
from nip.scenario_base.text.dialogue_rules import (
    DialogueOptions,
    DialogueRules,
    make_dialogue_rules,
)
from nip.scenario_base.text.stances import neutral_stance, own_stance, stance_of_other
from tests.scenario_base.text.dialogues import play, rules_of, text_params


def criticism(
    tables: dict[str, tuple] | None = None, *, scale: str = "accept_reject", **common
) -> DialogueRules:
    """Return the rules of dialogues in which agents are paid by the given tables."""

    class Paying(critics.Criticism):
        tables = critics.Criticism.tables

    if tables is not None:
        Paying.tables = {agent: AgentRewards(decided=table) for agent, table in tables.items()}
    hyper_params = text_params("nip", protocol_common=common)
    protocol = Paying(hyper_params)
    options = DialogueOptions(decision_scale=scale, linear_reward=scale != "accept_reject")
    specs = critics.criticism_specs(protocol)
    return make_dialogue_rules(hyper_params, protocol, specs, Path("none"), options)


# By label and decision: ((reject wrong, accept wrong), (reject correct, accept correct)).
SENTENCES = {
    "acceptance": (
        ((0, 2), (0, 2)),
        "You argue that the solution is correct. You are rewarded if Judge accepts it, whether or "
        "not it is correct.",
        "Critic argues that the solution is correct, and is rewarded if you accept it, whether or "
        "not it is correct.",
    ),
    "rejection": (
        ((1, -1), (1, -1)),
        "You argue that the solution is wrong. You are rewarded if Judge rejects it, whether or "
        "not it is wrong.",
        "Critic argues that the solution is wrong, and is rewarded if you reject it, whether or "
        "not it is wrong.",
    ),
    "truth": (
        ((1, 0), (0, 1)),
        "You are on the same side as Judge: you are rewarded if the decision is right. Help Judge "
        "to decide rightly.",
        "Critic is rewarded if your decision is right.",
    ),
    "error": (
        ((0, 3), (3, 0)),
        "You are rewarded if the decision of Judge is wrong, that is, if it accepts a wrong "
        "solution or rejects a correct one.",
        "Critic is rewarded if your decision is wrong, that is, if you accept a wrong solution or "
        "reject a correct one.",
    ),
    "nothing": (
        ((1, 1), (0, 0)),
        "Your reward does not depend on the decision of Judge.",
        "Critic's reward does not depend on your decision.",
    ),
    "only what is correct": (
        ((0, 0), (0, 1.5)),
        "Your reward is 1.5 if Judge accepts a correct solution, 0 if it rejects a correct one, 0 "
        "if it accepts a wrong one, and 0 if it rejects a wrong one.",
        "Critic's reward is 1.5 if you accept a correct solution, 0 if you reject a correct one, 0 "
        "if you accept a wrong one, and 0 if you reject a wrong one.",
    ),
    "acceptance, above all of what is wrong": (
        ((-3, 5), (0, 7)),
        "You argue that the solution is correct. Your reward is 7 if Judge accepts a correct "
        "solution, 0 if it rejects a correct one, 5 if it accepts a wrong one, and -3 if it "
        "rejects a wrong one.",
        "Critic argues that the solution is correct. Critic's reward is 7 if you accept a correct "
        "solution, 0 if you reject a correct one, 5 if you accept a wrong one, and -3 if you "
        "reject a wrong one.",
    ),
}


@pytest.mark.parametrize(("table", "own", "other"), SENTENCES.values(), ids=SENTENCES)
def test_stances_say_what_the_tables_pay(table: tuple, own: str, other: str) -> None:
    rules = criticism({"critic": table})
    assert own_stance(rules, "critic", stance=0) == own
    assert stance_of_other(rules, "verifier", "critic", stance=0) == other


@pytest.mark.parametrize(("table", "own", "other"), SENTENCES.values(), ids=SENTENCES)
def test_a_prover_is_told_of_its_own_table_like_any_other_agent(table, own, other) -> None:
    rules = criticism({"prover": table})
    assert own_stance(rules, "prover", stance=1) == own
    assert stance_of_other(rules, "verifier", "prover", 1) == other.replace("Critic", "Prover")


def test_an_agent_without_rewards_is_promised_none() -> None:
    rules = criticism({})
    assert own_stance(rules, "critic", 0) == "Your reward does not depend on the decision of Judge."
    rules = criticism({}, prover_reward=0.0)
    assert own_stance(rules, "prover", 0) == "Your reward does not depend on the decision of Judge."


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (
            ((0, 1), (1, 0)),
            "You are rewarded if your decision is wrong, that is, if you accept a wrong solution "
            "or reject a correct one.",
        ),
        (
            ((1, 0), (-2, 1)),
            "Your reward is 1 if you accept a correct solution, -2 if you reject a correct one, 0 "
            "if you accept a wrong one, and 1 if you reject a wrong one.",
        ),
        (
            ((0, 1), (0, 1)),
            "You are rewarded if you accept it, whether or not it is correct.",
        ),
    ],
)
def test_the_verifier_is_told_of_its_table_too(table: tuple, sentence: str) -> None:
    rules = criticism({"verifier": table})
    assert own_stance(rules, "verifier", 0) == sentence
    # An agent that is paid for the truth is then not on its side.
    rules = criticism({"verifier": table, "critic": ((1, 0), (0, 1))})
    assert own_stance(rules, "critic", 0).startswith(
        "You are rewarded if the decision of Judge is right, that is, if it accepts a correct"
    )


def test_the_reward_for_no_decision_is_told_if_the_protocol_states_one() -> None:
    class Impatient(critics.Criticism):
        tables = {"critic": replace(critics.TRUTH, terminated=-2)}

    hyper_params = text_params("nip")
    protocol = Impatient(hyper_params)
    specs = critics.criticism_specs(protocol)
    rules = make_dialogue_rules(hyper_params, protocol, specs, Path("none"))
    assert own_stance(rules, "critic", 0).endswith(
        "If the conversation ends without a decision, your reward is -2."
    )


def test_linear_rewards_are_told_for_every_table() -> None:
    rules = criticism({"critic": ((0, 3), (3, 0))}, scale="out_of_10")
    linear = "In between, the reward depends linearly on where the decision lies on the scale."
    assert own_stance(rules, "critic", 0).endswith(
        f"reject a correct one. {linear}".replace("reject a", "rejects a")
    )
    assert own_stance(rules, "prover", 0).endswith(
        "in proportion to how far the decision lies towards acceptance."
    )


def test_a_stance_that_the_rewards_contradict_is_refused() -> None:
    rules = criticism()
    for stance, label in ((1, 0), (0, 1)):
        specs = {**rules.specs, "critic": replace(rules.specs["critic"], stance=stance)}
        message = f"stance={stance}.* rewards the decision {1 - stance} for the label {label}"
        with pytest.raises(ProtocolError, match=message):
            replace(rules, specs=specs)


def test_a_side_may_be_taken_without_a_reward() -> None:
    rules = criticism({})
    specs = {**rules.specs, "critic": replace(rules.specs["critic"], stance=0)}
    assert own_stance(replace(rules, specs=specs), "critic", 0) == (
        "You argue that the solution is wrong. Your reward does not depend on the decision of "
        "Judge."
    )


def test_built_in_prompts_do_not_survive_rewards_that_contradict_them() -> None:
    with pytest.raises(ProtocolError, match="rewards the decision 0"):
        rules_of("nip", protocol_common={"prover_reward": -1.0})


def test_only_a_prover_that_is_paid_for_one_decision_can_have_a_random_stance() -> None:
    with pytest.raises(ParameterError, match="needs a prover that is rewarded for one of the"):
        criticism({"prover": ((1, 0), (0, 1))}, randomize_prover_stance=True)
    rules = criticism({"prover": ((-3, 5), (0, 7))}, randomize_prover_stance=True)
    assert own_stance(rules, "prover", 0).startswith("You argue that the solution is wrong. Your")
    assert "-3 if it accepts a wrong one, and 5 if it rejects" in own_stance(rules, "prover", 0)


def test_third_parties_are_told_the_same() -> None:
    rules = criticism()
    assert neutral_stance(rules, "critic", 0) == (
        "The agent is rewarded if the verifier decides rightly."
    )
    assert neutral_stance(rules, "prover", 0) == (
        "The agent argues that the solution is correct, and is rewarded for that."
    )
    assert neutral_stance(criticism({}), "critic", 0) == (
        "Its reward does not depend on the decision of the verifier."
    )


def test_an_agent_that_is_neither_prover_nor_verifier_plays_along() -> None:
    rules = criticism()
    rollout, calls = play(
        rules,
        lambda call: "Decision: accept" if call.agent == "verifier" else f"I am {call.agent}.",
    )
    assert [each.agent for each in rollout.messages] == ["prover", "critic", "verifier"]
    assert rollout.rewards[-1] == (1.0, 1.0, 1.0)
    prompts = {call.agent: call.messages[0]["content"] for call in calls}
    assert "Critic is rewarded if your decision is right." in prompts["verifier"]
    assert "Critic is rewarded if the decision of Judge is right." in prompts["prover"]
    assert "Prover argues that the solution is correct, and is rewarded" in prompts["critic"]
