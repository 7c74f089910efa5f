"""The frames of all learning agents of a minibatch together."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from nip.rl_objectives.objective import AgentFrames, is_single_turn, normalized_by


class JointFrames:
    """The frames of several agents in one batch, those of the first agent first.

    It has the methods of ``AgentFrames``. Each is called once for all agents, because small tensors
    take as long as those of a single agent. Rows, (row,), are those of all agents, and means have
    an entry for each agent, (agent,). In a minibatch of several runs both have a first dimension
    for the run.

    Parameters
    ----------
    frames : iterable of AgentFrames
        The frames of at least one agent.
    """

    def __init__(self, frames: Iterable[AgentFrames]) -> None:
        self.of_agents = tuple(frames)
        """The frames of each agent."""
        self.value = torch.cat([each.value for each in self.of_agents], dim=-1)
        """Values of the present parameters, (row,)."""
        self.num_turns = torch.stack([each.num_turns for each in self.of_agents], dim=-1)
        """Number of turns of each agent in the minibatch, (agent,); an average over ranks."""
        self._turn_weights = _by_agent([each.turn_weights for each in self.of_agents])
        self._value_weights = _by_agent([each.value_weights for each in self.of_agents])

    def take(self, key: str) -> Tensor:
        """Return the agents' entries of a key under ``agents``, (row,)."""
        return torch.cat([each.take(key) for each in self.of_agents], dim=-1)

    def policy_mean(self, value: Tensor) -> Tensor:
        """Average over the turns of each agent, (agent,)."""
        return _weighted_sum(value, self._turn_weights)

    def value_mean(self, value: Tensor) -> Tensor:
        """Average over the states in which the value of each agent was known, (agent,)."""
        return _weighted_sum(value, self._value_weights)

    def log_prob(self) -> Tensor:
        """Return the present log-probability of the actions, (row,)."""
        return torch.cat([each.log_prob() for each in self.of_agents], dim=-1)

    def log_prob_and_entropy(self) -> tuple[Tensor, Tensor]:
        """Return ``log_prob`` and the entropy of the policy over what counted, each (row,)."""
        log_probs, entropies = zip(
            *(each.log_prob_and_entropy() for each in self.of_agents), strict=True
        )
        return torch.cat(log_probs, dim=-1), torch.cat(entropies, dim=-1)

    def has_single_turn(self) -> Tensor:
        """Return whether each agent has exactly one turn in the minibatch, (agent,)."""
        return is_single_turn(self.num_turns)

    def normalized(self, value: Tensor) -> Tensor:
        """Normalise over the turns of each agent, (row,), as ``AgentFrames.normalized`` does.

        Rows out of turn become 0.
        """
        of_agents = normalized_by(value.unsqueeze(-2), self._turn_weights, self.has_single_turn())
        return torch.where(self._turn_weights > 0, of_agents, 0.0).sum(-2)

    def by_name(self, metrics: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return metrics of all agents, (agent,), as one for each agent, ``<agent>.<metric>``."""
        parts = {metric: value.unbind(-1) for metric, value in metrics.items()}
        return {
            f"{each.name}.{metric}": of_agents[position]
            for position, each in enumerate(self.of_agents)
            for metric, of_agents in parts.items()
        }


def _weighted_sum(value: Tensor, weights: Tensor) -> Tensor:
    """Return the sums over the rows of each agent, (agent,), given weights, (agent, row)."""
    # An infinite value of one agent times 0 would make the sums of all others NaN.
    return torch.where(weights > 0, value.unsqueeze(-2) * weights, 0.0).sum(-1)


def _by_agent(of_rows: Sequence[Tensor]) -> Tensor:
    """Return numbers of the rows of each agent, (agent, row), 0 in those of the others."""
    num_rows, start = sum(each.shape[-1] for each in of_rows), 0
    padded = []
    for each in of_rows:
        end = start + each.shape[-1]
        padded.append(F.pad(each, (start, num_rows - end)))
        start = end
    return torch.stack(padded, dim=-2)
