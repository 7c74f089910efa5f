"""Exchanges of an episode: a message of the verifier and the answers to it."""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nip.protocols.handler import ProtocolHandler


def exchange_of_rounds(protocol: ProtocolHandler) -> Int[Tensor, " round"]:
    """Return the exchange to which each round belongs, counted from 0.

    Each turn of the verifier begins an exchange, which ends before its next turn. In ``nip`` with a
    verifier that speaks first, rounds 0 and 1 are a question and its answer, as are 2 and 3.
    """
    verifier = protocol.agent_names.index(protocol.verifier_names[0])
    asks = torch.from_numpy(protocol.active[..., verifier, :].any(axis=(0, -1)))
    num_questions = asks.cumsum(0)
    return num_questions - num_questions[0]


def stream_masks(
    exchanges: Int[Tensor, " round"],
    num_channels: int,
    streams: Literal["joint", "channel", "exchange"],
) -> Bool[Tensor, "stream round channel"]:
    """Return which marks each stream of a graph network sees.

    All of them, or those of one channel, or of one exchange on one channel. The message of the last
    round is never read, so there is no stream for an exchange that begins with it.
    """
    rounds = torch.ones(1, len(exchanges), dtype=torch.bool)
    if streams == "joint":
        return rounds.unsqueeze(-1).expand(-1, -1, num_channels)
    if streams == "exchange":
        rounds = exchanges == exchanges[:-1].unique().unsqueeze(-1)
    channels = torch.eye(num_channels, dtype=torch.bool)
    return (rounds[:, None, :, None] & channels[None, :, None, :]).flatten(0, 1)


def earlier_marks(
    x: Float[Tensor, "batch round channel position graph node"],
    round_index: Int[Tensor, " batch"],
    exchanges: Int[Tensor, " round"],
) -> Float[Tensor, "batch round channel position graph node"]:
    """Return the marks of all exchanges before the present one, with zeros for all other rounds."""
    is_over = exchanges < exchanges[round_index].unsqueeze(-1)
    return x * is_over.view(*is_over.shape, 1, 1, 1, 1)
