"""Registry of the agent specs of each protocol in each text scenario."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from nip.errors import ParameterError
from nip.protocols.handler import ProtocolHandler
from nip.registry import Registry
from nip.scenario_base.text.agent_spec import TextAgentSpec

MakeSpecs = Callable[[ProtocolHandler], Mapping[str, TextAgentSpec]]
"""Returns the specs of a protocol's agents; its parameters are in ``protocol.hyper_params``."""

agent_spec_registry: Registry[MakeSpecs] = Registry("text side of a protocol")
"""Functions that make the specs, by ``<scenario>/<protocol>``."""

F = TypeVar("F", bound=MakeSpecs)


def register_agent_specs(scenario: str, protocol: str) -> Callable[[F], F]:
    """Register the function that makes the agent specs of a protocol in a text scenario.

    Parameters
    ----------
    scenario : str
        Name of the scenario.
    protocol : str
        Name of the protocol.
    """

    def register(make_specs: F) -> F:
        agent_spec_registry.register(f"{scenario}/{protocol}", make_specs)
        return make_specs

    return register


def make_agent_specs(scenario: str, protocol: ProtocolHandler) -> dict[str, TextAgentSpec]:
    """Return the spec of each agent, in protocol order; the scenario must have been imported.

    Raises
    ------
    ParameterError
        If no specs are registered for this scenario and protocol.
    """
    key = f"{scenario}/{protocol.name}"
    if key not in agent_spec_registry:
        playable = [
            name.partition("/")[2]
            for name in agent_spec_registry.names()
            if name.startswith(f"{scenario}/")
        ]
        raise ParameterError(
            f"interaction_protocol={protocol.name!r} cannot be played in words in "
            f"scenario={scenario!r}: no agent specs are registered for it. Choose one of "
            f"{', '.join(playable) or '(none yet)'}, or register its specs with "
            f"@register_agent_specs({scenario!r}, {protocol.name!r}), as the guide "
            "doc/guides/new_text_protocol.md shows."
        )
    specs = agent_spec_registry[key](protocol)
    ordered = {name: specs[name] for name in protocol.agent_names if name in specs}
    return {**ordered, **specs}
