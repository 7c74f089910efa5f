"""A trainer for advantage-weighted regression."""

from dataclasses import dataclass

import torch
from tensordict import TensorDict, TensorDictBase
from torchrl.objectives import ValueEstimators

from nip.parameters import SubParameters, register_parameter_class
from nip.parameters.types import CriticLossType, Positive
from nip.rl_objectives import Objective
from nip.rl_objectives.ppo import critic_loss
from nip.scenario_base.combined_agents import CombinedAgents
from nip.trainers.registry import register_trainer
from nip.trainers.rl_tensordict_base import AdvantageEstimator, TensorDictRlTrainer


@register_parameter_class
@dataclass
class AdvantageWeightedParameters(SubParameters):
    """Parameters of advantage-weighted regression."""

    temperature: Positive = 0.5
    """Temperature of the weights; a low value gives more weight to the best actions."""

    max_weight: Positive = 20.0
    """Maximum weight of an action."""


class AdvantageWeightedObjective(Objective):
    """Advantage-weighted regression (Peng et al., 2019) of all agents, summed."""

    def __init__(
        self,
        agents: CombinedAgents,
        params: AdvantageWeightedParameters,
        critic_loss_type: CriticLossType,
    ) -> None:
        super().__init__(agents)
        self.params = params
        self.critic_loss_type = critic_loss_type

    def forward(self, tensordict: TensorDictBase) -> TensorDict:
        """Return the losses of a minibatch, and the mean weight of each agent's actions."""
        zero = torch.zeros((), device=tensordict.device)
        losses, metrics = {"loss_objective": zero, "loss_critic": zero}, {}
        for frames in self.learning_frames(tensordict, with_critic=True):
            advantage = frames.normalized(frames.take("advantage"))
            weight = (advantage / self.params.temperature).exp().clamp_max(self.params.max_weight)
            policy = -frames.policy_mean(weight * frames.log_prob())
            losses["loss_objective"] = losses["loss_objective"] + policy
            critic = critic_loss(frames, self.critic_loss_type)
            losses["loss_critic"] = losses["loss_critic"] + critic
            metrics[f"{frames.name}.mean_weight"] = frames.policy_mean(weight)
        return TensorDict(losses | metrics)


@register_trainer("advantage_weighted", parameters=AdvantageWeightedParameters)
class AdvantageWeightedTrainer(TensorDictRlTrainer):
    """Train every agent to imitate its own actions, weighted by their advantages."""

    def _get_loss_module_and_gae(self) -> tuple[Objective, AdvantageEstimator]:
        rl = self.hyper_params.rl
        loss_module = AdvantageWeightedObjective(
            self.agents, self.hyper_params.advantage_weighted, rl.loss_critic_type
        )
        loss_module.make_value_estimator(ValueEstimators.GAE, gamma=rl.gamma, lmbda=rl.lmbda)
        return loss_module, loss_module.value_estimator
