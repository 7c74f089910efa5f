"""What the rules of a protocol derive from their entries."""

import pytest

from nip.protocols.rules import VERIFIER, AgentRewards, Decision, ProtocolRules


def rules_of(*agents, **changes):
    channels = {"main": agents}
    fields = {"timetables": (({VERIFIER: ("main",)},),), "max_message_rounds": 4, **changes}
    return ProtocolRules(agents=agents, channels=channels, **fields)


@pytest.mark.parametrize(
    ("given", "expected"),
    [(None, 4), (1, 1), (9, 9)],
)
def test_an_episode_is_as_long_as_the_history_unless_its_length_is_stated(given, expected):
    assert rules_of("prover", VERIFIER, num_episode_rounds=given).num_rounds == expected


def test_provers_are_known_by_their_names_in_the_order_of_the_agents():
    rules = rules_of("my_prover_b", "judge", "prover0", VERIFIER)
    assert rules.provers == ("my_prover_b", "prover0")
    assert rules_of(VERIFIER).provers == ()


def test_a_decision_is_the_label_that_it_states():
    assert (Decision(0), Decision(1)) == (Decision.REJECT, Decision.ACCEPT)
    assert Decision.CONTINUE not in (0, 1)


def test_what_is_not_stated_pays_nothing_and_allows_a_decision_from_the_first_round():
    rewards = AgentRewards(decided=((1.0, 0.0), (0.0, 1.0)))
    assert (rewards.terminated, rewards.no_guess) == (0.0, 0.0)
    rules = rules_of("prover", VERIFIER)
    assert rules.min_message_rounds == 1
    assert (rules.prover_goals, rules.rewards) == ({}, {})


def test_two_protocols_share_no_table():
    assert rules_of(VERIFIER).rewards is not rules_of(VERIFIER).rewards
