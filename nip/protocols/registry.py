"""Registry of protocols, and construction of the one that the hyper-parameters name."""

from collections.abc import Callable
from functools import cache
from typing import TypeVar

from nip.parameters import (
    HyperParameters,
    ProtocolSpec,
    SubParameters,
    protocol_specs,
    register_parameter_group,
)
from nip.parameters.parameters_base import PROTOCOL_PACKAGE
from nip.protocols.handler import ProtocolHandler
from nip.protocols.zero_knowledge import zero_knowledge_agents
from nip.registry import Registry, require_derived, require_name

HandlerClass = TypeVar("HandlerClass", bound=type[ProtocolHandler])

protocol_registry: Registry[type[ProtocolHandler]] = Registry("protocol", PROTOCOL_PACKAGE)
"""All protocols by name."""


def register_protocol(
    name: str,
    *,
    parameters: type[SubParameters] | None = None,
    reads: tuple[str, ...] | None = None,
    has_fixed_order: bool = False,
    agents: tuple[str, ...] | None = None,
) -> Callable[[HandlerClass], HandlerClass]:
    """Register a protocol under a name, as a decorator of its class.

    Parameters
    ----------
    name : str
        Value of ``interaction_protocol`` that chooses it.
    parameters : type of SubParameters, optional
        Class of the protocol's own parameters, which become the group ``name``:
        ``hyper_params.<name>``.
    reads : tuple of str, optional
        Dotted names of the groups of other protocols that it reads. If given, all others are
        reported as unused; by default it may read any.
    has_fixed_order : bool
        Whether it ignores ``protocol_common.verifier_first``, which is then reported as unused.
    agents : tuple of str, optional
        Names of its agents as in its rules. With them the command line needs not build the
        protocol to list the parameters of each agent.

    Raises
    ------
    PluginError
        If another protocol, or another group of parameters, has that name already.
    """
    require_name("register_protocol", name)

    def register(handler_class: HandlerClass) -> HandlerClass:
        require_derived(f"protocol {name!r}", handler_class, ProtocolHandler)
        protocol_registry.register(name, handler_class)
        if parameters is not None:
            register_parameter_group(name, parameters)
        group = None if parameters is None else name
        spec = ProtocolSpec(has_fixed_order, agents, reads=reads, parameter_group=group)
        protocol_specs.register(name, spec)
        handler_class.name = name
        return handler_class

    return register


def agent_names_of(protocol: str, *, zero_knowledge: bool = False) -> tuple[str, ...]:
    """Return the names of the agents of a protocol, which do not depend on its own parameters.

    With ``zero_knowledge`` these include the two agents that
    ``protocol_common.zero_knowledge=True`` adds.

    Raises
    ------
    UnknownNameError
        If there is no such protocol.
    """
    stated = protocol_specs[protocol].agents
    names = _compiled_agent_names(protocol) if stated is None else stated
    return zero_knowledge_agents(names) if zero_knowledge else names


@cache
def _compiled_agent_names(protocol: str) -> tuple[str, ...]:
    """Return the agents of a protocol whose registration does not state them."""
    example = HyperParameters(
        scenario="toy", dataset="witness", trainer="vanilla_ppo", interaction_protocol=protocol
    )
    return build_protocol_handler(example).agent_names


def build_protocol_handler(hyper_params: HyperParameters) -> ProtocolHandler:
    """Build the protocol of an experiment.

    Parameters
    ----------
    hyper_params : HyperParameters
        Hyper-parameters of the experiment.

    Raises
    ------
    UnknownNameError
        If no protocol has the name ``hyper_params.interaction_protocol``.
    ProtocolError
        If the parameters make the protocol impossible.
    """
    return protocol_registry[hyper_params.interaction_protocol](hyper_params)
