"""Spec of the scenario ``graph_isomorphism``."""

from nip.parameters import GraphIsomorphismAgentParameters
from nip.parameters.specs import ScenarioSpec, register_scenario_spec

register_scenario_spec(
    "graph_isomorphism",
    ScenarioSpec(
        data="tensordict",
        agent_parameters=GraphIsomorphismAgentParameters,
        reads=(),
        part_options={
            "policy_head": (
                "node_selector",
                "d_node_selector",
                "num_node_selector_layers",
                "d_linear_message_selector",
                "num_linear_message_selector_layers",
            ),
            "decider": ("d_decider", "num_decider_layers", "include_round_in_decider"),
            "value_head": ("d_value", "num_value_layers", "include_round_in_value"),
            "solo_head": ("d_decider", "num_decider_layers"),
        },
    ),
)
