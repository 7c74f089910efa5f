"""Rollouts of networks in words and numbers, for people to read."""

from typing import Any

import torch
from tensordict import TensorDictBase
from torch import Tensor

from nip.protocols.handler import ProtocolHandler

DECISIONS = ("reject", "accept", "continue")
VERDICTS = ("reject", "accept", "none")

_LINEAR = "linear_message_selected"


def describe_rollouts(rollouts: TensorDictBase, protocol: ProtocolHandler) -> list[dict[str, Any]]:
    """Tell round by round who wrote and decided what.

    Parameters
    ----------
    rollouts : TensorDictBase
        What ``sample_rollouts`` gave, of batch size (episode, step).
    protocol : ProtocolHandler
        Names agents and channels.

    Returns
    -------
    descriptions : list of dict
        One of plain data for each episode: ``datapoint_id``, ``label``, ``verdict`` (``none``
        where nothing was decided), ``rewards`` (of the whole episode, by agent) and ``rounds``.
        Each round has ``messages``, by channel, agent and kind the symbols written, and
        ``decisions``, by agent. A symbol out of a grid is the list of its coordinates.
    """
    return [_describe_episode(episode.cpu(), protocol) for episode in rollouts.unbind(0)]


def _describe_episode(episode: TensorDictBase, protocol: ProtocolHandler) -> dict[str, Any]:
    steps = episode[episode["mask"]].unbind(0)
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
        heard = messages.setdefault(protocol.channel_names[channel], {})
        heard[protocol.agent_names[agent]] = {
            key: _symbols(agents[key][agent, channel], _grid(key, step))
            for key in sorted(agents.keys())
            if _is_message(agents[key])
        }
    decisions = {
        protocol.agent_names[agent]: DECISIONS[int(agents["decision"][agent])]
        for (agent,) in agents["decides"].nonzero().tolist()
    }
    return {"round": int(step["round"]), "messages": messages, "decisions": decisions}


def _is_message(value: Tensor) -> bool:
    """Tell whether an entry under ``agents`` holds chosen symbols, (agent, channel, position)."""
    return value.dtype == torch.long and value.ndim == 3


def _grid(key: str, step: TensorDictBase) -> torch.Size:
    """Return the shape of the grid out of which the symbols of a message are chosen."""
    name = "linear_message" if key == _LINEAR else "message"
    return step[name].shape[2:]


def _symbols(chosen: Tensor, grid: torch.Size) -> list[Any]:
    if len(grid) == 1:
        return list(chosen.tolist())
    return torch.stack(torch.unravel_index(chosen, grid), dim=-1).tolist()
