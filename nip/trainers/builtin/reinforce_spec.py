"""Spec of the trainer ``reinforce``."""

from nip.parameters import UnusedOptionRule
from nip.parameters.specs import register_trainer_spec
from nip.trainers.base_specs import RL_TRAINER

register_trainer_spec(
    "reinforce",
    RL_TRAINER.extended(
        parameter_group="reinforce",
        ignores=("rl.clip_value",),
        unused_options=(
            UnusedOptionRule(
                ("rl.loss_critic_type", "rl.lmbda"),
                "unless reinforce.use_advantage_and_critic=True",
                lambda hyper_params: not hyper_params.reinforce.use_advantage_and_critic,
            ),
        ),
    ),
)
