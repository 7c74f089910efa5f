"""Specs of the base classes of trainers, which the specs of single trainers extend.

They state what ``TensorDictTrainer``, ``TensorDictRlTrainer`` and ``PureTextRlTrainer`` read,
without importing PyTorch.
"""

from nip.parameters import UnusedOptionRule
from nip.parameters.specs import TrainerSpec

NETWORK_TRAINER = TrainerSpec(
    "tensordict",
    reads=(
        "pretrain_agents",
        "test_size",
        "d_representation",
        "message_size",
        "include_linear_message_space",
        "d_linear_message_space",
        "optimizer",
        "lr_scheduler",
        "update_step",
        "loss_terms",
        "eval_every",
        "rl.frames_per_batch",
        "rl.rollouts_per_iteration",
        "rl.steps_per_env_per_iteration",
        "rl.normalize_observations",
        "rl.num_normalization_steps",
        "rl.use_shared_body",
    ),
)
"""A trainer that derives from ``TensorDictTrainer``: what agents, environments and learner read."""

RL_TRAINER = TrainerSpec(
    "tensordict",
    samples_batches=True,
    heads=("policy_head", "value_head"),
    reads=(
        *(NETWORK_TRAINER.reads or ()),
        "rl",
        "solo_agent",
        "message_regression",
        "opponent_pool",
    ),
    unused_options=(
        UnusedOptionRule(
            ("test_size", "solo_agent"),
            "unless trainer='solo_agent' or pretrain_agents=True",
            lambda hyper_params: not hyper_params.pretrain_agents,
        ),
        UnusedOptionRule(
            ("lr_scheduler",),
            "with rl.anneal_lr=True, which is a schedule of its own",
            lambda hyper_params: hyper_params.rl.anneal_lr,
        ),
    ),
)
"""A trainer that derives from ``TensorDictRlTrainer``."""

LANGUAGE_MODEL_TRAINER = TrainerSpec(
    "text",
    reads=(
        "text_rl",
        "fine_tuning",
        "local_training",
        "rehearsal",
        "rl.num_iterations",
        "rl.rollouts_per_iteration",
    ),
    unused_options=(
        UnusedOptionRule(
            ("local_training",),
            "unless fine_tuning.backend='local'",
            lambda hyper_params: hyper_params.fine_tuning.backend != "local",
        ),
    ),
)
"""A trainer that derives from ``PureTextRlTrainer``."""
