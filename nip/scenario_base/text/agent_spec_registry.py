"""How the agents of each protocol take part in the dialogues of each scenario."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from nip.errors import ParameterError
from nip.protocols.handler import ProtocolHandler
from nip.registry import Registry
from nip.scenario_base.text.agent_spec import TextAgentSpec

MakeSpecs = Callable[[ProtocolHandler], Mapping[str, TextAgentSpec]]
"""Gives the spec of each agent of a protocol; its parameters are in ``protocol.hyper_params``."""

agent_spec_registry: Registry[MakeSpecs] = Registry("text side of a protocol")
"""The text sides of protocols, by ``<scenario>/<protocol>``."""

F = TypeVar("F", bound=MakeSpecs)


def register_agent_specs(scenario: str, protocol: str) -> Callable[[F], F]:
    """Make a protocol playable in the words of a scenario, as a decorator of a function.

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
    """Return the spec of each agent, in the order of the protocol.

    Parameters
    ----------
    scenario : str
        Name of the scenario, whose modules have been imported.
    protocol : ProtocolHandler
        The protocol.

    Raises
    ------
    ParameterError
        If nobody has said how the protocol is played in words.
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
            f"scenario={scenario!r}: nobody has said how its agents are prompted. Choose one of "
            f"{', '.join(playable) or '(none yet)'}, or add its text side with "
            f"@register_agent_specs({scenario!r}, {protocol.name!r}), as the guide "
            "doc/guides/new_text_protocol.md shows."
        )
    specs = agent_spec_registry[key](protocol)
    ordered = {name: specs[name] for name in protocol.agent_names if name in specs}
    return {**ordered, **specs}
