"""Objective of proximal policy optimisation (PPO), clipped or with an adaptive KL penalty."""

from typing import Literal

import torch
from tensordict import TensorDict, TensorDictBase
from torch import Tensor
from torch.nn import functional as F

from nip.parameters.trainers import PpoParameters
from nip.rl_objectives.joint_frames import JointFrames
from nip.rl_objectives.objective import AgentFrames, Objective
from nip.scenario_base.combined_agents import CombinedAgents
from nip.utils.ranks import current_ranks

CriticLoss = Literal["l1", "l2", "smooth_l1"]

_CRITIC_LOSSES = {"l1": F.l1_loss, "l2": F.mse_loss, "smooth_l1": F.smooth_l1_loss}

KL_TOLERANCE = 1.5
"""The penalty is constant while the KL divergence is within this factor of its target."""


def critic_loss(
    frames: AgentFrames | JointFrames, loss_type: CriticLoss, clip_value: float | None = None
) -> Tensor:
    """Return the critic's loss of one agent, a scalar, or those of several, (agent,).

    ``clip_value`` limits the change from the value at collection: the loss is the larger one of the
    loss with and without the limit.
    """
    value, target = frames.value, frames.take("value_target")
    distance = _CRITIC_LOSSES[loss_type]
    loss = distance(value, target, reduction="none")
    if clip_value is not None:
        old = frames.take("value")
        clipped = old + (value - old).clamp(-clip_value, clip_value)
        loss = torch.maximum(loss, distance(clipped, target, reduction="none"))
    return frames.value_mean(loss)


LOSSES = ("loss_objective", "loss_critic", "loss_entropy")
"""Losses of all agents, summed."""

METRICS = (
    "loss_objective",
    "loss_critic",
    "kl",
    "clip_fraction",
    "effective_sample_share",
    "single_turn_share",
)
"""Metrics of each agent."""

KL_BETA_RANGE = 1e3
"""Limit on the factor by which a penalty changes from its initial value, up or down."""


class PpoObjective(Objective):
    r"""The PPO losses of all agents (Schulman et al., 2017), summed.

    The clipped loss of an agent is :math:`-\mathrm{mean}\min(\rho A,
    \mathrm{clip}(\rho, 1 \pm \epsilon) A)`; with a KL penalty it is
    :math:`-\mathrm{mean}(\rho A) + \beta\,\mathrm{KL}` with the estimate
    :math:`\mathrm{KL} = -\mathrm{mean} \log \rho`. Means are over the agent's own turns. The
    weight :math:`\beta` of each agent is adapted after each iteration.

    Parameters
    ----------
    clip_value : float or bool
        Limit of ``critic_loss``; True stands for ``clip_epsilon``, False for none.
    """

    takes_several_runs = True

    kl_beta: Tensor
    _kl_sum: Tensor
    _kl_count: Tensor

    def __init__(
        self,
        agents: CombinedAgents,
        params: PpoParameters,
        *,
        critic_loss_type: CriticLoss,
        clip_value: float | bool = False,
    ) -> None:
        super().__init__(agents)
        self.params = params
        self._critic_loss_type = critic_loss_type
        is_flag = isinstance(clip_value, bool)
        self._clip_value = (params.clip_epsilon if clip_value else None) if is_flag else clip_value
        num_agents = len(agents.names)
        self.register_buffer("kl_beta", torch.full((num_agents,), params.kl_beta))
        # Both are zero after each iteration, so that checkpoints need not hold them.
        self.register_buffer("_kl_sum", torch.zeros(num_agents), persistent=False)
        self.register_buffer("_kl_count", torch.zeros(num_agents), persistent=False)

    def forward(self, tensordict: TensorDictBase) -> TensorDict:
        """Return ``loss_objective``, ``loss_critic``, ``loss_entropy`` and metrics per agent."""
        of_agents = list(self.learning_frames(tensordict, with_critic=True))
        if not of_agents:
            zero = torch.zeros((), device=self.kl_beta.device)
            return TensorDict(dict.fromkeys(LOSSES, zero))
        frames = JointFrames(of_agents)
        log_prob, entropy = frames.log_prob_and_entropy()
        log_ratio = log_prob - frames.take("sample_log_prob")
        advantage = frames.take("advantage")
        if self.params.normalize_advantage:
            advantage = frames.normalized(advantage)
        ratio = log_ratio.exp()
        terms = torch.stack((self._surrogate(ratio, advantage), log_ratio, entropy))
        surrogate, mean_log_ratio, mean_entropy = frames.policy_mean(terms).unbind(0)
        kl = -mean_log_ratio
        policy = self._policy_loss(frames, surrogate, kl)
        critic = critic_loss(frames, self._critic_loss_type, self._clip_value)
        losses = {
            "loss_objective": policy.sum(-1),
            "loss_critic": self.params.critic_coef * critic.sum(-1),
            "loss_entropy": -self.params.entropy_eps * mean_entropy.sum(-1),
        }
        return TensorDict(losses | self._metrics(frames, ratio, policy, critic, kl))

    def metric_names(self) -> list[str]:
        """Return the names of the losses and of the metrics of each agent."""
        of_agents = [f"{name}.{metric}" for name in self.agents.names for metric in METRICS]
        return [*LOSSES, *of_agents]

    def _surrogate(self, ratio: Tensor, advantage: Tensor) -> Tensor:
        """Return what the policy of each row should increase, (row,)."""
        if self.params.loss_type == "kl_penalty":
            return ratio * advantage
        epsilon = self.params.clip_epsilon
        clipped = ratio.clamp(1 - epsilon, 1 + epsilon)
        return torch.minimum(ratio * advantage, clipped * advantage)

    def _policy_loss(self, frames: JointFrames, surrogate: Tensor, kl: Tensor) -> Tensor:
        """Return the loss of each agent, (agent,), from the means over its turns."""
        if self.params.loss_type != "kl_penalty":
            return -surrogate
        indices = [each.index for each in frames.of_agents]
        for index, own, num_turns in zip(
            indices, kl.detach().unbind(-1), frames.num_turns.unbind(-1), strict=True
        ):
            self._kl_sum[..., index] += own
            self._kl_count[..., index] += num_turns > 0
        beta = torch.stack([self.kl_beta[..., index] for index in indices], dim=-1)
        return beta * kl - surrogate

    def finish_iteration(self) -> None:
        """Adapt the penalty of each agent to its KL divergence.

        The divergence is averaged over the updates of the iteration. The penalty of an agent
        without an update stays the same.
        """
        kl = current_ranks().mean_(self._kl_sum) / self._kl_count.clamp_min(1.0)
        target = self.params.kl_target
        factor = torch.where(kl > KL_TOLERANCE * target, self.params.kl_increment, 1.0)
        factor = torch.where(kl < target / KL_TOLERANCE, self.params.kl_decrement, factor)
        factor = torch.where(self._kl_count > 0, factor, 1.0)
        start = self.params.kl_beta
        bounded = (self.kl_beta * factor).clamp(start / KL_BETA_RANGE, start * KL_BETA_RANGE)
        self.kl_beta.copy_(bounded)
        self._kl_sum.zero_()
        self._kl_count.zero_()

    @torch.no_grad()
    def _metrics(
        self, frames: JointFrames, ratio: Tensor, policy: Tensor, critic: Tensor, kl: Tensor
    ) -> dict[str, Tensor]:
        outside = (ratio - 1).abs() > self.params.clip_epsilon
        averaged = torch.stack((ratio, ratio.square(), outside.to(ratio.dtype)))
        mean, mean_square, outside_share = current_ranks().mean_(frames.policy_mean(averaged))
        of_agents = {
            "loss_objective": policy.detach(),
            "loss_critic": critic.detach(),
            "kl": kl.detach(),
            "clip_fraction": outside_share,
            "effective_sample_share": mean.square() / mean_square.clamp_min(1e-9),
            "single_turn_share": frames.has_single_turn().to(ratio.dtype),
        }
        return frames.by_name(of_agents)
