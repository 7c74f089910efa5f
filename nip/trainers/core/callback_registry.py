"""Callbacks by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from nip.parameters.callbacks import CallbackParameters, CallbackSpec, callback_specs
from nip.registry import Registry
from nip.trainers.core.callback import Callback

callback_registry: Registry[type[Callback]] = Registry("callback", package="nip.trainers.callbacks")

C = TypeVar("C", bound="type[Callback]")


def register_callback(
    name: str, *, parameters: type[CallbackParameters] = CallbackParameters
) -> Callable[[C], C]:
    """Make a callback known under a name.

    Parameters
    ----------
    name : str
        What chooses it in ``callbacks=[...]``.
    parameters : type, optional
        Its options, each of which its constructor takes by name.
    """

    def decorate(callback: C) -> C:
        if name not in callback_specs:
            callback_specs.register(name, CallbackSpec(parameters, callback.is_observer))
        callback_registry.register(name, callback)
        return callback

    return decorate


def build_callback(params: CallbackParameters) -> Callback:
    """Build the callback that the parameters name."""
    return callback_registry[params.name](**params.options)
