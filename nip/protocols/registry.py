"""Protocols by name."""

from collections.abc import Callable
from typing import TypeVar

from nip.parameters import (
    HyperParameters,
    ProtocolSpec,
    SubParameters,
    protocol_specs,
    register_parameter_group,
)
from nip.protocols.handler import ProtocolHandler
from nip.registry import Registry

HandlerClass = TypeVar("HandlerClass", bound=type[ProtocolHandler])

protocol_registry: Registry[type[ProtocolHandler]] = Registry(
    "protocol", package="nip.protocols.builtin"
)
"""All protocols, those of plugins among them."""


def register_protocol(
    name: str, *, parameters: type[SubParameters] | None = None
) -> Callable[[HandlerClass], HandlerClass]:
    """Enter a protocol under a name, as a decorator of its class.

    From then on ``interaction_protocol=<name>`` chooses it.

    Parameters
    ----------
    name : str
        The name.
    parameters : type of SubParameters, optional
        Parameters of the protocol's own. They stand in the tree under the protocol's name:
        ``hyper_params.<name>``.

    Raises
    ------
    PluginError
        If another protocol, or another group of parameters, has that name already.
    """

    def register(handler_class: HandlerClass) -> HandlerClass:
        # Loads the built-in protocols, so that it is not one of them which finds its name taken.
        protocol_registry.names()
        protocol_registry.register(name, handler_class)
        if parameters is not None:
            register_parameter_group(name, parameters)
        # The built-in ones stand in the catalogue from the start.
        if name not in protocol_specs:
            protocol_specs.register(name, ProtocolSpec())
        handler_class.name = name
        return handler_class

    return register


def build_protocol_handler(hyper_params: HyperParameters) -> ProtocolHandler:
    """Build the protocol of an experiment.

    Parameters
    ----------
    hyper_params : HyperParameters
        The experiment.

    Raises
    ------
    UnknownNameError
        If no protocol has the name ``hyper_params.interaction_protocol``.
    ProtocolError
        If the parameters make the protocol impossible.
    """
    return protocol_registry[hyper_params.interaction_protocol](hyper_params)
