"""The registry of mock models."""

from nip.errors import ParameterError
from nip.language_models.server.mock_models.mock_model import MockModel
from nip.registry import Registry

mock_model_registry: Registry[type[MockModel]] = Registry(
    "mock model", package="nip.language_models.server.mock_models"
)

register_mock_model = mock_model_registry.register
"""Class decorator that registers a mock model under a name."""


def build_mock_model(name: str, file: str | None = None) -> MockModel:
    """Build a mock model; raise ``ParameterError`` if it cannot use the file."""
    model_class = mock_model_registry.get(name)
    try:
        return model_class(file)
    except OSError as error:
        raise ParameterError(
            f"brain={name!r} cannot read brain_file={file!r}: {error.strerror}. Name an existing "
            "file."
        ) from error


def check_mock_model(name: str, file: str | None = None, *, learner: str | None = None) -> None:
    """Check that a mock model of an experiment can be built, and trained if an agent learns.

    Raise the errors of ``build_mock_model``, or ``ParameterError`` if the model cannot be trained.
    ``learner`` is the name of an agent that learns.
    """
    if learner is not None and not mock_model_registry.get(name).is_trainable:
        raise ParameterError(
            f"rehearsal.brain={name!r} is a model that cannot be trained, but the agent "
            f"{learner!r} learns. Set freeze_agent=true for it, or rl.num_iterations=1, or "
            "choose rehearsal.brain='dialogue'."
        )
    build_mock_model(name, file)
