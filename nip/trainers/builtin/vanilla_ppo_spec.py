"""Spec of the trainer ``vanilla_ppo``."""

from nip.parameters.specs import register_trainer_spec
from nip.trainers.base_specs import RL_TRAINER

register_trainer_spec("vanilla_ppo", RL_TRAINER.extended(parameter_group="ppo"))
