"""Readable descriptions of the rollouts of networks."""

from typing import Any

import torch
from tensordict import TensorDictBase
from torch import Tensor

from nip.protocols.handler import ProtocolHandler
from nip.utils.batch_rows import take_rows

DECISIONS = ("reject", "accept", "continue")
VERDICTS = ("reject", "accept", "none")

NUM_PROBABLE = 5
"""Number of symbols whose probabilities are stated for each position of a message."""

_LINEAR = "linear_message_selected"
_DIGITS = 4


def describe_rollouts(rollouts: TensorDictBase, protocol: ProtocolHandler) -> list[dict[str, Any]]:
    """Describe messages and decisions of rollouts, round by round.

    Parameters
    ----------
    rollouts : TensorDictBase
        Result of ``sample_rollouts``, of batch size (episode, step).
    protocol : ProtocolHandler
        Gives the names of agents and channels.

    Returns
    -------
    descriptions : list of dict
        Plain data of each episode: ``datapoint_id``, ``label``, ``verdict`` (``none`` without a
        decision), ``rewards`` (of the whole episode, by agent) and ``rounds``. Each round has its
        number ``round``, from 1, ``messages``, the symbols by channel, agent and action key, and
        ``decisions`` by agent. A symbol from a grid is the list of its coordinates. Where the
        rollouts have logits, ``decision_probabilities`` has the probability of each decision by
        agent, and ``message_probabilities`` for each position of a message the probabilities of the
        ``NUM_PROBABLE`` most probable symbols, by symbol as text, such as ``"0 3"``.
    """
    return [_describe_episode(episode.cpu(), protocol) for episode in rollouts.unbind(0)]


def _describe_episode(episode: TensorDictBase, protocol: ProtocolHandler) -> dict[str, Any]:
    steps = take_rows(episode, episode["mask"].nonzero().squeeze(-1)).unbind(0)
    last = steps[-1]
    rewards = last["next", "agents", "episode_reward"].tolist()
    return {
        "datapoint_id": int(last["datapoint_id"]),
        "label": int(last["y"]),
        "verdict": VERDICTS[int(last["next", "verdict"])],
        "rewards": dict(zip(protocol.agent_names, rewards, strict=True)),
        "rounds": [_describe_round(step, protocol) for step in steps],
    }


def _describe_round(step: TensorDictBase, protocol: ProtocolHandler) -> dict[str, Any]:
    agents = step["agents"]
    messages: dict[str, Any] = {}
    for agent, channel in agents["active"].nonzero().tolist():
        written = messages.setdefault(protocol.channel_names[channel], {})
        written[protocol.agent_names[agent]] = {
            key: _symbols(agents[key][agent, channel], _grid(key, step))
            for key in sorted(agents.keys())
            if _is_message(agents[key])
        }
    deciding = {
        protocol.agent_names[each]: each for (each,) in agents["decides"].nonzero().tolist()
    }
    decisions = {name: DECISIONS[int(agents["decision"][each])] for name, each in deciding.items()}
    told = {"round": int(step["round"]) + 1, "messages": messages, "decisions": decisions}
    if "decision_logits" in agents.keys():
        told["message_probabilities"] = _message_probabilities(step, protocol)
        told["decision_probabilities"] = {
            name: _decision_probabilities(agents["decision_logits"][each])
            for name, each in deciding.items()
        }
    return told


def _decision_probabilities(logits: Tensor) -> dict[str, float]:
    shares = logits.softmax(-1).tolist()
    return {name: round(share, _DIGITS) for name, share in zip(DECISIONS, shares, strict=True)}


def _message_probabilities(step: TensorDictBase, protocol: ProtocolHandler) -> dict[str, Any]:
    """Return the most probable symbols by channel, agent, action key and position."""
    agents = step["agents"]
    told: dict[str, Any] = {}
    for agent, channel in agents["active"].nonzero().tolist():
        of_channel = told.setdefault(protocol.channel_names[channel], {})
        of_channel[protocol.agent_names[agent]] = {
            key: _most_probable(agents[_logits_key(key)][agent, channel], _grid(key, step))
            for key in sorted(agents.keys())
            if _is_message(agents[key])
        }
    return told


def _most_probable(logits: Tensor, grid: torch.Size) -> list[dict[str, float]]:
    """Return the largest probabilities at each position, by symbol as text."""
    top = logits.softmax(-1).topk(min(NUM_PROBABLE, logits.shape[-1]), dim=-1)
    return [
        {_as_text(symbol): round(share, _DIGITS) for symbol, share in zip(*pair, strict=True)}
        for pair in zip(
            (_symbols(row, grid) for row in top.indices), top.values.tolist(), strict=True
        )
    ]


def _as_text(symbol: Any) -> str:
    return " ".join(map(str, symbol)) if isinstance(symbol, list) else str(symbol)


def _logits_key(key: str) -> str:
    return "linear_message_logits" if key == _LINEAR else "main_message_logits"


def _is_message(value: Tensor) -> bool:
    """Return whether an entry under ``agents`` holds symbols, (agent, channel, position)."""
    return value.dtype == torch.long and value.ndim == 3


def _grid(key: str, step: TensorDictBase) -> torch.Size:
    """Return the shape of the grid from which the symbols of a message are chosen."""
    name = "linear_message" if key == _LINEAR else "message"
    return step[name].shape[2:]


def _symbols(chosen: Tensor, grid: torch.Size) -> list[Any]:
    if len(grid) == 1:
        return list(chosen.tolist())
    return torch.stack(torch.unravel_index(chosen, grid), dim=-1).tolist()
