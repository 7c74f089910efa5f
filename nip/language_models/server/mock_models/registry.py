"""The brains that can be chosen by name."""

from nip.errors import ParameterError
from nip.language_models.server.mock_models.mock_model import MockModel
from nip.registry import Registry

mock_model_registry: Registry[type[MockModel]] = Registry(
    "brain", package="nip.language_models.server.mock_models"
)

register_mock_model = mock_model_registry.register
"""Class decorator that enters a brain under a name."""


def build_mock_model(name: str, file: str | None = None) -> MockModel:
    """Build a brain.

    Raises
    ------
    UnknownNameError
        If there is no brain of this name.
    ParameterError
        If the brain cannot use the file.
    """
    brain_class = mock_model_registry.get(name)
    try:
        return brain_class(file)
    except OSError as error:
        raise ParameterError(
            f"The brain {name!r} cannot read {file!r}: {error.strerror}. Name an existing file."
        ) from error


def check_mock_model(name: str, file: str | None = None) -> None:
    """Tell what would keep a brain from being built; see ``build_mock_model`` for errors."""
    build_mock_model(name, file)
