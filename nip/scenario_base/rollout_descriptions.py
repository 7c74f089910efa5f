"""Readable descriptions of the rollouts of networks."""

from typing import Any

import torch
from tensordict import TensorDictBase
from torch import Tensor

from nip.protocols.handler import ProtocolHandler

DECISIONS = ("reject", "accept", "continue")
VERDICTS = ("reject", "accept", "none")

_LINEAR = "linear_message_selected"


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
        ``decisions`` by agent. A symbol from a grid is the list of its coordinates.
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
        written = messages.setdefault(protocol.channel_names[channel], {})
        written[protocol.agent_names[agent]] = {
            key: _symbols(agents[key][agent, channel], _grid(key, step))
            for key in sorted(agents.keys())
            if _is_message(agents[key])
        }
    decisions = {
        protocol.agent_names[agent]: DECISIONS[int(agents["decision"][agent])]
        for (agent,) in agents["decides"].nonzero().tolist()
    }
    return {"round": int(step["round"]) + 1, "messages": messages, "decisions": decisions}


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
