"""Spec of the scenario ``matrix_games``."""

from nip.parameters import UnusedOptionRule, register_parameter_group
from nip.parameters.scenarios.matrix_games import (
    MatrixGameAgentParameters,
    MatrixGamesParameters,
)
from nip.parameters.specs import ScenarioSpec, register_scenario_spec

register_parameter_group("matrix_games", MatrixGamesParameters)
register_scenario_spec(
    "matrix_games",
    ScenarioSpec(
        data="game",
        agent_parameters=MatrixGameAgentParameters,
        builtin_datasets=(
            "chain",
            "commitment",
            "iterated_prisoners_dilemma",
            "matching_pennies",
            "quadratic_stackelberg",
            "tandem",
        ),
        parameter_group="matrix_games",
        reads=(),
        unused_options=(
            UnusedOptionRule(
                (
                    "d_representation",
                    "message_size",
                    "include_linear_message_space",
                    "d_linear_message_space",
                    "pretrain_agents",
                    "protocol_common",
                    "nip_protocol",
                    "debate_protocol",
                    "mnip_protocol",
                    "message_regression",
                    "opponent_pool",
                    "ppo",
                    "spg.mixed_derivative",
                    "spg.follower_curvature",
                    "rl.frames_per_batch",
                    "rl.rollouts_per_iteration",
                    "rl.steps_per_env_per_iteration",
                    "rl.num_epochs",
                    "rl.minibatch_size",
                    "rl.loss_critic_type",
                    "rl.clip_value",
                    "rl.normalize_observations",
                    "rl.num_normalization_steps",
                    "rl.lmbda",
                    "rl.use_shared_body",
                    "rl.num_test_iterations",
                    "rl.greedy_test",
                ),
                "with scenario='matrix_games', whose players exchange no messages",
            ),
            UnusedOptionRule(
                ("spg.ihvp_num_updates_per_sketch", "update_step.num_accumulation_steps"),
                "with scenario='matrix_games', where an iteration is a single update",
            ),
        ),
    ),
)
