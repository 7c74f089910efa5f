"""Rules are compiled into tables that were worked out by hand."""

import numpy as np
import pytest

from nip.parameters import CommonProtocolParameters
from nip.protocols.compilation import compile_rules
from nip.protocols.rules import AgentRewards, ProtocolRules

ASK = {"verifier": ("main", "private")}
ANSWER = {"prover0": ("main",), "prover1": ("main",)}
RULES = ProtocolRules(
    agents=("prover0", "prover1", "verifier"),
    channels={"main": ("prover0", "prover1", "verifier"), "private": ("prover0", "verifier")},
    timetables=((ASK, ANSWER), (ANSWER, ASK)),
    max_message_rounds=4,
    num_episode_rounds=3,
    prover_goals={"prover0": 0},
    rewards={"prover1": AgentRewards(decided=((1, 2), (3, 4)), terminated=5, no_guess=6)},
)


def test_who_sees_and_writes_where() -> None:
    compiled = compile_rules(RULES, CommonProtocolParameters())
    assert compiled.visibility.tolist() == [[True, True], [True, False], [True, True]]
    asks, answers = [[0, 0], [0, 0], [1, 1]], [[1, 0], [1, 0], [0, 0]]
    nobody = [[0, 0], [0, 0], [0, 0]]
    # The timetable repeats until the third round, the last of an episode.
    expected = [[asks, answers, asks, nobody], [answers, asks, answers, nobody]]
    assert compiled.active.astype(int).tolist() == expected


def test_the_verifier_may_decide_where_it_writes() -> None:
    compiled = compile_rules(RULES, CommonProtocolParameters())
    assert compiled.can_decide[..., :2].any() == np.False_
    assert compiled.can_decide[..., 2].tolist() == [
        [True, False, True, False],
        [False, True, False, False],
    ]


def test_rewards_come_from_the_common_parameters_or_a_table() -> None:
    common = CommonProtocolParameters(
        prover_reward=7,
        prover_terminated_penalty=-6,
        verifier_reward=8,
        verifier_incorrect_penalty=-9,
        verifier_terminated_penalty=-10,
        verifier_no_guess_reward=11,
    )
    compiled = compile_rules(RULES, common)
    assert compiled.decided_reward.tolist() == [
        [[7, 0], [7, 0]],
        [[1, 2], [3, 4]],
        [[8, -9], [-9, 8]],
    ]
    assert compiled.terminated_reward.tolist() == [-6, 5, -10]
    assert compiled.no_guess_reward.tolist() == [0, 6, 11]


def test_the_tables_are_read_only() -> None:
    for table in compile_rules(RULES, CommonProtocolParameters()):
        with pytest.raises(ValueError, match="read-only"):
            table[0] = 1
