"""Spec of the scenario ``code_validation``."""

from nip.parameters import CodeValidationAgentParameters
from nip.parameters.specs import ScenarioSpec, register_scenario_spec

register_scenario_spec(
    "code_validation",
    ScenarioSpec(
        data="text",
        agent_parameters=CodeValidationAgentParameters,
        parameter_group="code_validation",
        reads=(),
    ),
)
