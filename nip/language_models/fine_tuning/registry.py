"""The services that train models, by name."""

from collections.abc import Callable
from typing import TypeVar

from nip.language_models.chat import ModelSpec
from nip.language_models.fine_tuning.backend import FineTuningBackend
from nip.language_models.provider_registry import ConnectionContext
from nip.registry import Registry

Backend = TypeVar("Backend", bound=type[FineTuningBackend])

fine_tuning_backend_registry: Registry[type[FineTuningBackend]] = Registry(
    "fine-tuning backend", package="nip.language_models.fine_tuning"
)


def register_fine_tuning_backend(name: str) -> Callable[[Backend], Backend]:
    """Register a backend class under a name that ``fine_tuning.backend`` may take."""

    def enter(backend: Backend) -> Backend:
        backend.name = name
        fine_tuning_backend_registry.register(name, backend)
        return backend

    return enter


def check_fine_tuning_access(
    name: str, model: ModelSpec, context: ConnectionContext | None = None
) -> None:
    """Tell what is missing to train a model, without sending anything.

    Raises
    ------
    UnknownNameError
        If there is no such backend.
    ParameterError
        If the service certainly cannot be reached; the message names the way out.
    """
    backend = fine_tuning_backend_registry.get(name)
    backend.check_access(model, context or ConnectionContext())


def build_fine_tuning_backend(
    name: str, model: ModelSpec, context: ConnectionContext
) -> FineTuningBackend:
    """Connect to the service that trains a model.

    Raises
    ------
    UnknownNameError
        If there is no such backend.
    ParameterError
        If the service certainly cannot be reached; the message names the way out.
    """
    return fine_tuning_backend_registry.get(name)(model, context)
