"""Checkpoints of a job, and the state of its optimizer for the next job."""

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nip.run_store.checkpoints.checkpoint import Checkpoint, checkpoint_path, saved_iterations
from nip.utils.files import flush_to_disk

if TYPE_CHECKING:
    from torch import Tensor

LEAST_PERIOD_S = 10.0
"""Least seconds between checkpoints whose period is not set."""

MAX_SHARE = 0.05
"""Largest share of the time that such checkpoints may take."""


@dataclass(frozen=True)
class Progress:
    """Where a job is after an update."""

    updates: int = 0
    """Number of updates done."""

    trained_tokens: int = 0
    """Tokens of the examples of these updates."""

    num_events: int = 0
    """Number of events written."""


class CheckpointTimer:
    """Decides when a job writes a checkpoint.

    Parameters
    ----------
    minutes : float | None
        Minutes between checkpoints; None: as often as takes 5 % of the time.
    """

    def __init__(self, minutes: float | None) -> None:
        self._period_s = None if minutes is None else 60 * minutes
        self._due = time.monotonic() + (self._period_s or LEAST_PERIOD_S)

    def is_due(self) -> bool:
        """Return whether a checkpoint should be written now."""
        return time.monotonic() >= self._due

    def written(self, seconds: float) -> None:
        """Take note that a checkpoint was written, which took some time."""
        period = self._period_s or max(LEAST_PERIOD_S, seconds / MAX_SHARE)
        self._due = time.monotonic() + period


def save_progress(
    folder: Path,
    progress: Progress,
    tensors: "Mapping[str, Mapping[str, Tensor]]",
) -> None:
    """Write a checkpoint, and delete older ones when it is complete."""
    from nip.run_store.checkpoints.checkpoint_files import write_checkpoint

    folder.mkdir(exist_ok=True)
    partial = folder / "partial"
    shutil.rmtree(partial, ignore_errors=True)
    state = {"trained_tokens": progress.trained_tokens, "num_events": progress.num_events}
    write_checkpoint(partial, Checkpoint(progress.updates, tensors, state))
    path = checkpoint_path(folder, progress.updates)
    partial.rename(path)
    flush_to_disk(folder)
    for older in saved_iterations(folder):
        if older != progress.updates:
            shutil.rmtree(checkpoint_path(folder, older), ignore_errors=True)


def load_progress(
    folder: Path,
) -> "tuple[Progress, Mapping[str, Mapping[str, Tensor]]] | None":
    """Read the last checkpoint; None if there is none that can be read."""
    from nip.run_store.checkpoints.checkpoint_files import DamagedCheckpointError, read_checkpoint

    for updates in reversed(saved_iterations(folder)):
        try:
            stored = read_checkpoint(checkpoint_path(folder, updates))
        except DamagedCheckpointError:
            continue
        return Progress(stored.iteration, **stored.state), stored.tensors
    return None


def last_saved_update(folder: Path) -> int:
    """Return the number of updates in the last checkpoint; 0 if there is none."""
    return max(saved_iterations(folder), default=0)


def optimizer_tensors(optimizer: Any, names: Mapping[int, str]) -> "dict[str, Tensor]":
    """Return the state of an optimizer by name; ``names`` maps the id of each parameter."""
    return {
        f"{kind}.{names[id(parameter)]}": tensor
        for parameter, state in optimizer.state.items()
        for kind, tensor in state.items()
    }


def load_optimizer_tensors(
    optimizer: Any, names: Mapping[int, str], tensors: "Mapping[str, Tensor]"
) -> None:
    """Restore what ``optimizer_tensors`` has returned.

    Raises
    ------
    ValueError
        If the tensors are not those of the optimizer's parameters.
    """
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    by_name = {names[id(each)]: each for each in parameters}
    for full_name, tensor in tensors.items():
        kind, _, name = full_name.partition(".")
        parameter = by_name.get(name)
        if parameter is None or tensor.shape not in (parameter.shape, ()):
            raise ValueError(f"The optimizer has no parameter {name!r} of shape {tensor.shape}.")
        # Counts of updates stay where the optimizer keeps them, on the device of the parameter
        # only if they are used there.
        device = parameter.device if tensor.shape or optimizer.defaults["fused"] else "cpu"
        optimizer.state[parameter][kind] = tensor.to(device)
