"""Advantages of every agent for the actions of every other agent."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from tensordict import TensorDictBase
from torch import Tensor

from nip.rl_objectives.advantages import TurnBasedGAE


@torch.no_grad()
def outcome_advantage(
    *,
    reward: Float[Tensor, "batch step agent"],
    value: Float[Tensor, "batch step agent"],
    last_value: Float[Tensor, "batch agent"],
    known: Bool[Tensor, "batch step agent"],
    done: Bool[Tensor, "batch step"],
    advantage: Float[Tensor, "batch step agent"],
    gamma: float,
) -> Float[Tensor, "batch step agent"]:
    r"""Return how much better each agent fares after each step than it expected before.

    Where an agent's value is known, this is its advantage. Elsewhere it is the return from there
    on, less the value of the agent's last turn before it in the same episode, if there is one:

    .. math::

        \sum_{k<n} \gamma^k r_{t+k} + \gamma^n (V_{t+n} + A_{t+n}) - V_{t-m} ,

    where :math:`t + n` is the agent's next turn and :math:`t - m` its last one. Neither was
    influenced by the action at :math:`t`, so that it is a baseline which leaves policy gradients
    unbiased.

    Parameters
    ----------
    reward, value, last_value, known, done : Tensor
        As in ``turn_based_gae``.
    advantage : Tensor
        Its result.
    gamma : float
        Discount per step.
    """
    result = torch.empty_like(value)
    rest = last_value
    for step in reversed(range(value.shape[1])):
        continues = (~done[:, step]).to(value.dtype).unsqueeze(-1)
        result[:, step] = reward[:, step] + gamma * continues * rest
        rest = torch.where(known[:, step], value[:, step] + advantage[:, step], result[:, step])
    baseline = torch.zeros_like(last_value)
    for step in range(value.shape[1]):
        baseline = torch.where(known[:, step], value[:, step], baseline)
        result[:, step] -= baseline
        baseline = baseline * (~done[:, step]).to(value.dtype).unsqueeze(-1)
    return torch.where(known, advantage, result)


@dataclass(frozen=True)
class OutcomeAdvantages:
    """Writes what opponent shaping reads under ``agents`` of a collected batch.

    These are the entries of ``TurnBasedGAE``, ``outcome_advantage``, ``ends_episode``, and
    ``frame``, the position of a frame in the batch.
    """

    gae: TurnBasedGAE

    def __call__(self, batch: TensorDictBase) -> TensorDictBase:
        """Add the entries to ``batch``, of batch size (environment, step), and return it."""
        batch = self.gae(batch)
        agents = batch["agents"]
        done = batch["next", "done"]
        batch["agents", "outcome_advantage"] = outcome_advantage(
            reward=batch["next", "agents", "reward"],
            value=agents["value"],
            last_value=agents["bootstrap_value"][:, -1],
            known=agents["value_known"],
            done=done,
            advantage=agents["advantage"],
            gamma=self.gae.gamma,
        )
        batch["agents", "ends_episode"] = done
        batch["agents", "frame"] = torch.arange(done.numel(), device=done.device).view(done.shape)
        return batch
