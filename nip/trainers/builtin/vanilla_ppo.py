"""Trainer: independent proximal policy optimisation (PPO) of all agents."""

from torchrl.objectives import ValueEstimators

from nip.rl_objectives.ppo import PpoObjective
from nip.trainers.registry import register_trainer
from nip.trainers.rl_tensordict_base import AdvantageEstimator, TensorDictRlTrainer


@register_trainer("vanilla_ppo")
class VanillaPpoTrainer(TensorDictRlTrainer):
    """Trains each agent by PPO, with clipped ratios or an adaptive KL penalty."""

    def _get_loss_module_and_gae(self) -> tuple[PpoObjective, AdvantageEstimator]:
        rl = self.hyper_params.rl
        loss_module = PpoObjective(
            self.agents,
            self.hyper_params.ppo,
            critic_loss_type=rl.loss_critic_type,
            clip_value=rl.clip_value,
        )
        loss_module.make_value_estimator(ValueEstimators.GAE, gamma=rl.gamma, lmbda=rl.lmbda)
        return loss_module, loss_module.value_estimator
