"""Spec of the scenario ``toy``."""

from nip.parameters import ToyAgentParameters, UnusedOptionRule
from nip.parameters.specs import ScenarioSpec, register_scenario_spec, trainer_specs

register_scenario_spec(
    "toy",
    ScenarioSpec(
        data="tensordict",
        agent_parameters=ToyAgentParameters,
        builtin_datasets=("cheap_talk", "faults", "inspection", "secret_talk", "witness"),
        reads=(),
        unused_options=(
            UnusedOptionRule(
                ("d_representation",),
                "with scenario='toy', whose agents read their observations directly",
            ),
            UnusedOptionRule(
                ("include_linear_message_space", "d_linear_message_space"),
                "with scenario='toy' and a trainer whose agents play no episodes",
                lambda hyper_params: not trainer_specs[hyper_params.trainer].plays_episodes,
            ),
        ),
        part_options={"policy_head": ("initial_policy_scale",)},
    ),
)
