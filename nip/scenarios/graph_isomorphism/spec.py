"""Spec of the scenario ``graph_isomorphism``."""

from nip.parameters import (
    GraphIsomorphismAgentParameters,
    GraphIsomorphismParameters,
    register_parameter_group,
)
from nip.parameters.specs import ScenarioSpec, register_scenario_spec

register_parameter_group("graph_isomorphism", GraphIsomorphismParameters)
register_scenario_spec(
    "graph_isomorphism",
    ScenarioSpec(
        data="tensordict",
        agent_parameters=GraphIsomorphismAgentParameters,
        parameter_group="graph_isomorphism",
        reads=(),
        has_kernels=True,
        part_options={
            "policy_head": (
                "node_selector",
                "d_node_selector",
                "num_node_selector_layers",
                "initial_selector_scale",
                "d_linear_message_selector",
                "num_linear_message_selector_layers",
            ),
            "decider": ("d_decider", "num_decider_layers", "include_round_in_decider"),
            "value_head": ("d_value", "num_value_layers", "include_round_in_value"),
            "solo_head": ("d_decider", "num_decider_layers"),
        },
    ),
)
