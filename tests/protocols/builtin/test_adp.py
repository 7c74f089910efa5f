"""One message, then the decision. Rewards are (prover, verifier)."""

import pytest

from tests.protocols.play import (
    ACCEPT,
    CONTINUE,
    DECIDED,
    REJECT,
    RUNNING,
    TERMINATED,
    handler_of,
    play,
    writers,
)


@pytest.mark.parametrize("verifier_first", [True, False])
def test_the_prover_always_opens(verifier_first: bool) -> None:
    handler = handler_of("adp", common={"verifier_first": verifier_first})
    assert [writers(handler, 0), writers(handler, 1)] == [
        {("prover", "main")},
        {("verifier", "main")},
    ]
    assert handler.max_message_rounds == 2
    assert handler.max_verifier_questions == 1


@pytest.mark.parametrize(
    ("round_", "y", "says", "expected"),
    [
        (0, 1, ACCEPT, (RUNNING, [0, 0])),
        (0, 0, CONTINUE, (RUNNING, [0, 0])),
        (1, 1, ACCEPT, (DECIDED, [1, 2])),
        (1, 0, ACCEPT, (DECIDED, [1, -16])),
        (1, 0, REJECT, (DECIDED, [0, 2])),
        (1, 1, REJECT, (DECIDED, [0, -16])),
        (1, 1, CONTINUE, (TERMINATED, [0, -4])),
    ],
)
def test_reward_table(round_, y, says, expected) -> None:
    assert play(handler_of("adp"), round=round_, y=y, says=says) == expected


def test_limits_of_other_protocols_do_not_matter() -> None:
    handler = handler_of("adp", nip_protocol={"max_message_rounds": 5, "min_message_rounds": 4})
    assert (handler.max_message_rounds, handler.min_message_rounds) == (2, 1)
