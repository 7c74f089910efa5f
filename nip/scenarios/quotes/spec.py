"""Spec of the scenario ``quotes``."""

from nip.parameters import QuotesParameters, TextAgentParameters, register_parameter_group
from nip.parameters.specs import ScenarioSpec, register_scenario_spec

register_parameter_group("quotes", QuotesParameters)
register_scenario_spec(
    "quotes",
    ScenarioSpec(
        data="text",
        agent_parameters=TextAgentParameters,
        builtin_datasets=("facts",),
        parameter_group="quotes",
        reads=(),
    ),
)
