"""The verifier alone, for one round. Rewards are (verifier,)."""

import pytest

from tests.protocols.play import (
    ACCEPT,
    CONTINUE,
    DECIDED,
    REJECT,
    TERMINATED,
    handler_of,
    play,
    writers,
)


def test_the_verifier_is_alone() -> None:
    handler = handler_of("solo_verifier")
    assert handler.agent_names == handler.verifier_names == ("verifier",)
    assert handler.prover_names == ()
    assert handler.channel_names == ("main",)
    assert handler.stackelberg_sequence == (("verifier",),)


def test_an_episode_is_one_round_and_the_history_has_room_for_two() -> None:
    handler = handler_of("solo_verifier")
    assert (handler.max_message_rounds, handler.num_episode_rounds) == (2, 1)
    assert handler.active.shape == (1, 2, 1, 1)
    assert writers(handler, 0) == {("verifier", "main")}
    assert writers(handler, 1) == set()
    assert not handler.can_agent_decide("verifier", 1, 0)
    assert handler.max_verifier_questions == 1


@pytest.mark.parametrize(
    ("y", "says", "expected"),
    [
        (1, ACCEPT, (DECIDED, [2])),
        (0, ACCEPT, (DECIDED, [-16])),
        (0, REJECT, (DECIDED, [2])),
        (1, REJECT, (DECIDED, [-16])),
        (0, CONTINUE, (TERMINATED, [-4])),
        (1, CONTINUE, (TERMINATED, [-4])),
    ],
)
@pytest.mark.parametrize("shared_reward", [True, False])
def test_reward_table(y, says, expected, shared_reward) -> None:
    handler = handler_of("solo_verifier", common={"shared_reward": shared_reward})
    assert play(handler, round=0, y=y, says=says) == expected
