"""Registry of callbacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from nip.parameters.callbacks import CallbackParameters, CallbackSpec, callback_specs
from nip.registry import Registry, require_derived, require_name
from nip.trainers.core.callback import Callback

PACKAGES = ("nip.trainers.callbacks", "nip.robustness.callbacks")
"""Packages with a module for each built-in callback."""

callback_registry: Registry[type[Callback]] = Registry("callback", package=PACKAGES)

C = TypeVar("C", bound="type[Callback]")


def register_callback(
    name: str, *, parameters: type[CallbackParameters] = CallbackParameters
) -> Callable[[C], C]:
    """Register a callback under a name.

    Parameters
    ----------
    name : str
        Name that selects it in ``callbacks=[...]``.
    parameters : type, optional
        Class of its options, which are passed to its constructor by name.
    """
    require_name("register_callback", name)
    require_derived(f"parameters of the callback {name!r}", parameters, CallbackParameters)

    def decorate(callback: C) -> C:
        require_derived(f"callback {name!r}", callback, Callback)
        if name not in callback_specs:
            callback_specs.register(name, CallbackSpec(parameters, callback.is_observer))
        callback_registry.register(name, callback)
        return callback

    return decorate


def build_callback(params: CallbackParameters) -> Callback:
    """Build the callback that the parameters select."""
    return callback_registry[params.name](**params.options)
