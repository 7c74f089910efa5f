"""Advantage estimators for agents that take turns."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from tensordict import TensorDictBase
from torch import Tensor


@torch.no_grad()
def turn_based_gae(
    *,
    reward: Float[Tensor, "batch step agent"],
    value: Float[Tensor, "batch step agent"],
    last_value: Float[Tensor, "batch agent"],
    known: Bool[Tensor, "batch step agent"],
    done: Bool[Tensor, "batch step"],
    gamma: float,
    lmbda: float,
) -> tuple[Float[Tensor, "batch step agent"], Float[Tensor, "batch step agent"]]:
    r"""Generalised advantage estimation from one turn of an agent to its next.

    An agent's value is only known in the states where it is the agent's turn. Between two of its
    turns at the steps :math:`t` and :math:`t + n` the rewards are summed, discounted
    for each step:

    .. math::

        \delta_t &= \sum_{k<n} \gamma^k r_{t+k} + \gamma^n V_{t+n} - V_t \\
        A_t &= \delta_t + \gamma^n \lambda A_{t+n}

    Both sums end with the episode. For an agent that acts in every step this is equation 16 of
    Schulman et al., *High-dimensional continuous control using generalized advantage estimation*
    (2016).

    Parameters
    ----------
    reward, value : Tensor
        Reward and value of each step. The value is only read where it is known.
    last_value : Tensor
        Value of the state after the last step.
    known : Tensor
        Where the value is known.
    done : Tensor
        Where an episode ends.
    gamma : float
        Discount per step.
    lmbda : float
        Decay of the sum over turns.

    Returns
    -------
    advantage, value_target : Tensor
        Of each step; 0 where the value is not known.
    """
    advantage = torch.zeros_like(value)
    rewards = torch.zeros_like(last_value)
    next_value, next_advantage = last_value, torch.zeros_like(last_value)
    for step in reversed(range(value.shape[1])):
        discount = gamma * (~done[:, step]).to(value.dtype).unsqueeze(-1)
        rewards = reward[:, step] + discount * rewards
        next_value = discount * next_value
        next_advantage = discount * next_advantage
        here = known[:, step]
        estimate = rewards + next_value - value[:, step] + lmbda * next_advantage
        advantage[:, step] = torch.where(here, estimate, 0.0)
        rewards = torch.where(here, 0.0, rewards)
        next_value = torch.where(here, value[:, step], next_value)
        next_advantage = torch.where(here, estimate, next_advantage)
    return advantage, torch.where(known, advantage + value, 0.0)


@torch.no_grad()
def reward_to_go(
    reward: Float[Tensor, "batch step agent"],
    done: Bool[Tensor, "batch step"],
    gamma: float,
    last_return: Float[Tensor, "batch agent"] | None = None,
) -> Float[Tensor, "batch step agent"]:
    """Return the discounted sum of rewards from each step to the episode's end.

    Parameters
    ----------
    reward : Tensor
        Reward of each step.
    done : Tensor
        Where an episode ends.
    gamma : float
        Discount per step.
    last_return : Tensor, optional
        Return from the state after the last step, for episodes that continue there. None: 0, so
        that the sum ends with the batch.
    """
    result = torch.empty_like(reward)
    following = torch.zeros_like(reward[:, 0]) if last_return is None else last_return
    for step in reversed(range(reward.shape[1])):
        continues = (~done[:, step]).to(reward.dtype).unsqueeze(-1)
        following = reward[:, step] + gamma * continues * following
        result[:, step] = following
    return result


@dataclass(frozen=True)
class TurnBasedGAE:
    """Writes ``advantage`` and ``value_target`` under ``agents`` of a collected batch."""

    gamma: float
    lmbda: float

    def __call__(self, batch: TensorDictBase) -> TensorDictBase:
        """Add the two keys to ``batch``, of batch size (environment, step), and return it."""
        advantage, target = turn_based_gae(
            reward=batch["next", "agents", "reward"],
            value=batch["agents", "value"],
            last_value=batch["agents", "bootstrap_value"][:, -1],
            known=batch["agents", "value_known"],
            done=batch["next", "done"],
            gamma=self.gamma,
            lmbda=self.lmbda,
        )
        batch["agents", "advantage"] = advantage
        batch["agents", "value_target"] = target
        return batch


@dataclass(frozen=True)
class RewardToGo:
    """Writes ``reward_to_go`` under ``agents`` of a collected batch.

    Returns of episodes that the end of the batch cuts are continued by ``bootstrap_return``, if the
    batch has it (see ``RolloutCollector``); else they lack the rewards after the cut.
    """

    gamma: float

    def __call__(self, batch: TensorDictBase) -> TensorDictBase:
        """Add the key to ``batch``, of batch size (environment, step), and return it."""
        rest = batch.get(("agents", "bootstrap_return"), None)
        batch["agents", "reward_to_go"] = reward_to_go(
            batch["next", "agents", "reward"],
            batch["next", "done"],
            self.gamma,
            None if rest is None else rest[:, -1],
        )
        return batch
