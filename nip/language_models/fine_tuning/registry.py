"""Registry of fine-tuning backends."""

from collections.abc import Callable
from typing import TypeVar

from nip.language_models.chat import ModelSpec
from nip.language_models.fine_tuning.backend import FineTuningBackend
from nip.language_models.provider_registry import ConnectionContext
from nip.registry import Registry, require_complete, require_derived, require_name

Backend = TypeVar("Backend", bound=type[FineTuningBackend])

fine_tuning_backend_registry: Registry[type[FineTuningBackend]] = Registry(
    "fine-tuning backend", package="nip.language_models.fine_tuning"
)


def register_fine_tuning_backend(name: str) -> Callable[[Backend], Backend]:
    """Register a backend class under a name, for the parameter ``fine_tuning.backend``."""
    require_name("register_fine_tuning_backend", name)

    def register(backend: Backend) -> Backend:
        require_derived(f"fine-tuning backend {name!r}", backend, FineTuningBackend)
        backend.name = name
        fine_tuning_backend_registry.register(name, backend)
        return backend

    return register


def find_fine_tuning_backend(name: str) -> type[FineTuningBackend]:
    """Return the backend class with a name; raise ``PluginError`` if it is incomplete."""
    backend = fine_tuning_backend_registry.get(name)
    require_complete(f"fine-tuning backend {name!r}", backend, FineTuningBackend)
    return backend


def check_fine_tuning_access(
    name: str, model: ModelSpec, context: ConnectionContext | None = None
) -> None:
    """Check that a fine-tuning service can be reached, without sending a request.

    Raise ``ParameterError`` if calls would certainly fail, saying what to change, and
    ``PluginError`` if the class of the backend is incomplete.
    """
    find_fine_tuning_backend(name).check_access(model, context or ConnectionContext())


def build_fine_tuning_backend(
    name: str, model: ModelSpec, context: ConnectionContext
) -> FineTuningBackend:
    """Build the backend for a model; raise ``ParameterError`` if calls would certainly fail."""
    return find_fine_tuning_backend(name)(model, context)
