"""Spec of the trainer ``solo_agent``."""

from nip.parameters.specs import register_trainer_spec
from nip.trainers.base_specs import NETWORK_TRAINER

register_trainer_spec(
    "solo_agent",
    NETWORK_TRAINER.extended(
        parameter_group="solo_agent",
        num_iterations="solo_agent.num_epochs",
        plays_episodes=False,
        reads_update_schedules=False,
        heads=("solo_head",),
        ignores=("pretrain_agents", "rl"),
    ),
)
