"""Spec of the scenario ``graph_isomorphism``."""

from nip.parameters import GraphIsomorphismAgentParameters
from nip.parameters.specs import ScenarioSpec, register_scenario_spec

register_scenario_spec(
    "graph_isomorphism",
    ScenarioSpec(data="tensordict", agent_parameters=GraphIsomorphismAgentParameters, reads=()),
)
