"""A question and its answers are one exchange."""

from typing import Any

import pytest
import torch

from nip.scenarios.graph_isomorphism.exchanges import (
    earlier_marks,
    exchange_of_rounds,
    stream_masks,
)
from tests.scenarios.graph_isomorphism.observations import make_context


@pytest.mark.parametrize(
    ("experiment", "expected"),
    [
        ({"nip_protocol": {"max_message_rounds": 5}}, [0, 0, 1, 1, 2]),
        (
            {
                "nip_protocol": {"max_message_rounds": 4},
                "protocol_common": {"verifier_first": False},
            },
            [0, 1, 1, 2],
        ),
        ({"interaction_protocol": "adp"}, [0, 1]),
        ({"interaction_protocol": "merlin_arthur"}, [0, 1]),
        (
            {
                "interaction_protocol": "debate",
                "debate_protocol": {"max_message_rounds": 5, "sequential": True},
            },
            [0, 0, 0, 1, 1],
        ),
    ],
)
def test_every_turn_of_the_verifier_begins_an_exchange(
    experiment: dict[str, Any], expected: list[int]
) -> None:
    protocol = make_context("verifier", experiment=experiment).protocol
    assert exchange_of_rounds(protocol).tolist() == expected


def test_marks_of_the_present_exchange_are_removed() -> None:
    x = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]).view(1, 5, 1, 1, 1, 1).expand(3, -1, 1, 1, 1, 1)
    rounds, exchanges = torch.tensor([1, 3, 4]), torch.tensor([0, 0, 1, 1, 2])
    assert earlier_marks(x, rounds, exchanges).flatten(1).tolist() == [
        [0, 0, 0, 0, 0],
        [1, 2, 0, 0, 0],
        [1, 2, 3, 4, 0],
    ]


def test_streams_see_all_marks_or_those_of_a_channel_or_of_an_exchange_on_a_channel() -> None:
    exchanges = torch.tensor([0, 0, 1, 1, 2])
    joint = stream_masks(exchanges, 2, "joint").int()
    assert joint.tolist() == [[[1, 1]] * 5]
    channel = stream_masks(exchanges, 2, "channel").int()
    assert channel.tolist() == [[[1, 0]] * 5, [[0, 1]] * 5]
    exchange = stream_masks(exchanges, 1, "exchange").int().squeeze(-1)
    # The exchange of the last round, whose message nobody reads, has no stream.
    assert exchange.tolist() == [[1, 1, 0, 0, 0], [0, 0, 1, 1, 0]]
