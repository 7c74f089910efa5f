"""The brains that can be chosen by name."""

from nip.errors import ParameterError
from nip.language_models.server.mock_models.mock_model import Brain
from nip.registry import Registry

brain_registry: Registry[type[Brain]] = Registry(
    "brain", package="nip.language_models.server.mock_models"
)

register_brain = brain_registry.register
"""Class decorator that enters a brain under a name."""


def build_brain(name: str, file: str | None = None) -> Brain:
    """Build a brain.

    Raises
    ------
    UnknownNameError
        If there is no brain of this name.
    ParameterError
        If the brain cannot use the file.
    """
    brain_class = brain_registry.get(name)
    try:
        return brain_class(file)
    except OSError as error:
        raise ParameterError(
            f"The brain {name!r} cannot read {file!r}: {error.strerror}. Name an existing file."
        ) from error


def check_brain(name: str, file: str | None = None) -> None:
    """Tell what would keep a brain from being built; see `build_brain` for errors."""
    build_brain(name, file)
