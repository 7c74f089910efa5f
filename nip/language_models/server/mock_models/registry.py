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


def check_mock_model(name: str, file: str | None = None) -> None:
    """Check that a mock model can be built. Raises the errors of ``build_mock_model``."""
    build_mock_model(name, file)
