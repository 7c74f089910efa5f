"""Registry of the agent specs of each protocol in each text scenario."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TypeVar

from nip.errors import ParameterError, ProtocolError, shown
from nip.protocols.handler import ProtocolHandler
from nip.registry import Registry
from nip.scenario_base.text.agent_spec import TextAgentSpec
from nip.scenario_base.text.agent_spec_check import problem_with_types

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
    ProtocolError
        If the registered function returns no specs, or gives them a field that does not exist or
        a value of a wrong type.
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
    specs = _checked(key, lambda: agent_spec_registry[key](protocol))
    ordered = {name: specs[name] for name in protocol.agent_names if name in specs}
    return {**ordered, **specs}


def _checked(
    key: str, make_specs: Callable[[], Mapping[str, TextAgentSpec]]
) -> Mapping[str, TextAgentSpec]:
    """Return the specs that a registered function makes, which may come from a plugin."""
    function = f"The function that @register_agent_specs has for {key!r}"
    try:
        specs = make_specs()
    except TypeError as error:
        about, _, problem = str(error).partition("() ")
        if about != f"{TextAgentSpec.__name__}.__init__":
            raise
        names = ", ".join(field.name for field in fields(TextAgentSpec))
        raise ProtocolError(
            f"{function} makes a TextAgentSpec in a wrong way: {problem}. Its fields, all of which "
            f"are given by name, are {names}."
        ) from error
    if not isinstance(specs, Mapping) or not all(
        isinstance(agent, str) and isinstance(spec, TextAgentSpec) for agent, spec in specs.items()
    ):
        raise ProtocolError(
            f"{function} must return a dictionary from the names of the agents to a TextAgentSpec "
            f"each, got {shown(specs)}."
        )
    for agent, spec in specs.items():
        if (wrong := problem_with_types(spec)) is not None:
            raise ProtocolError(f"{function} makes a TextAgentSpec for {agent!r} with {wrong}.")
    return specs
