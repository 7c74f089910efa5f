"""Messages for state that a checkpoint cannot hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nip.errors import ParameterError

if TYPE_CHECKING:
    from nip.trainers.core.trainer import Trainer


@contextmanager
def explaining_unsavable(trainer: Trainer) -> Iterator[None]:
    """Turn the ``TypeError`` of state that cannot be saved into a ``ParameterError``.

    Parameters
    ----------
    trainer : Trainer
        The trainer whose state is saved in the ``with`` block.
    """
    try:
        yield
    except TypeError as error:
        raise ParameterError(
            f"state_dict of {type(trainer).__name__} cannot be saved: {error} The state dict "
            "includes context.state and the state_dict of each callback."
        ) from error
