"""Spec of the scenario ``toy``."""

from nip.parameters import ToyAgentParameters, UnusedOptionRule
from nip.parameters.specs import ScenarioSpec, register_scenario_spec

register_scenario_spec(
    "toy",
    ScenarioSpec(
        data="tensordict",
        agent_parameters=ToyAgentParameters,
        builtin_datasets=("cheap_talk", "witness"),
        reads=(),
        unused_options=(
            UnusedOptionRule(
                ("d_representation",),
                "with scenario='toy', whose agents read their observations directly",
            ),
        ),
    ),
)
