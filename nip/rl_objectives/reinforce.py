"""Objective of REINFORCE, the score-function gradient, with or without a critic."""

import torch
from tensordict import TensorDict, TensorDictBase
from torch import Tensor

from nip.rl_objectives.objective import Objective
from nip.rl_objectives.ppo import CriticLoss, critic_loss
from nip.scenario_base.combined_agents import CombinedAgents


class ReinforceObjective(Objective):
    r"""REINFORCE (Williams, 1992) of all agents, summed.

    The loss of an agent is :math:`-\mathrm{mean}(\log\pi \cdot G)` over its own turns, where
    :math:`G` is the discounted reward to go or, with a critic, which is trained too, the advantage.
    """

    takes_several_runs = True

    def __init__(
        self, agents: CombinedAgents, *, use_critic: bool, critic_loss_type: CriticLoss
    ) -> None:
        super().__init__(agents)
        self.use_critic = use_critic
        self._critic_loss_type = critic_loss_type

    def metric_names(self) -> list[str]:
        """Return the names of the losses, in total and of each agent."""
        losses = ["loss_objective", "loss_critic"] if self.use_critic else ["loss_objective"]
        return losses + [f"{name}.{loss}" for name in self.agents.names for loss in losses]

    def forward(self, tensordict: TensorDictBase) -> TensorDict:
        """Return ``loss_objective``, with a critic ``loss_critic``, and metrics per agent."""
        weight_key = "advantage" if self.use_critic else "reward_to_go"
        zero = torch.zeros((), device=tensordict.device)
        losses = {"loss_objective": zero}
        if self.use_critic:
            losses["loss_critic"] = zero
        metrics: dict[str, Tensor] = {}
        for frames in self.learning_frames(tensordict, with_critic=self.use_critic):
            policy = -frames.policy_mean(frames.log_prob() * frames.take(weight_key))
            losses["loss_objective"] = losses["loss_objective"] + policy
            metrics[f"{frames.name}.loss_objective"] = policy.detach()
            if self.use_critic:
                critic = critic_loss(frames, self._critic_loss_type)
                losses["loss_critic"] = losses["loss_critic"] + critic
                metrics[f"{frames.name}.loss_critic"] = critic.detach()
        return TensorDict(losses | metrics)
