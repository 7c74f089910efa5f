"""Trainer: independent REINFORCE of all agents."""

from torchrl.objectives import ValueEstimators

from nip.rl_objectives.advantages import RewardToGo
from nip.rl_objectives.reinforce import ReinforceObjective
from nip.trainers.registry import register_trainer
from nip.trainers.rl_tensordict_base import AdvantageEstimator, TensorDictRlTrainer


@register_trainer("reinforce")
class ReinforceTrainer(TensorDictRlTrainer):
    """Trains each agent by its own score-function gradient, with or without a critic."""

    @property
    def needs_values(self) -> bool:
        """Whether there is a critic."""
        return self.hyper_params.reinforce.use_advantage_and_critic

    def _get_loss_module_and_gae(self) -> tuple[ReinforceObjective, AdvantageEstimator]:
        rl = self.hyper_params.rl
        use_critic = self.hyper_params.reinforce.use_advantage_and_critic
        loss_module = ReinforceObjective(
            self.agents, use_critic=use_critic, critic_loss_type=rl.loss_critic_type
        )
        if not use_critic:
            return loss_module, RewardToGo(rl.gamma)
        loss_module.make_value_estimator(ValueEstimators.GAE, gamma=rl.gamma, lmbda=rl.lmbda)
        return loss_module, loss_module.value_estimator
