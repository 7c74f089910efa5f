"""``CheckpointFolder``: saving, loading and pruning the checkpoints of a run.

Each checkpoint is a folder such as ``iteration_000012/``. It is written under a hidden name and
renamed when all files have been flushed, so that a folder with a regular name is complete even if
the process is killed. ``best.json`` records the best checkpoint.
"""

import os
import shutil
import warnings
from collections.abc import Collection
from pathlib import Path

from nip.errors import CheckpointError, NipWarning, ResumeError
from nip.run_store.checkpoints.checkpoint import (
    Checkpoint,
    checkpoint_path,
    foreign_checkpoint,
    read_best,
    saved_iterations,
)
from nip.run_store.checkpoints.checkpoint_files import (
    DamagedCheckpointError,
    read_checkpoint,
    write_checkpoint,
)
from nip.run_store.database.origin import Origin
from nip.utils.files import flush_to_disk, storage_errors

_SAVING = ".saving"
_REMOVING = ".removing"
_REPLACED = ".replaced"
_DAMAGED = ".damaged"


def read_intact(folder: Path) -> Checkpoint:
    """Read a checkpoint chosen by the user; raise ``CheckpointError`` if it is damaged."""
    try:
        return read_checkpoint(folder)
    except DamagedCheckpointError as error:
        raise CheckpointError(f"{error}. Restore it from a copy, or choose another one.") from error


class CheckpointFolder:
    """The checkpoints of one run, in a folder that the first save creates.

    Only one process may write at a time, which the lock of the run ensures.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def iterations(self) -> list[int]:
        """Return the iterations of all complete checkpoints in ascending order."""
        return saved_iterations(self.folder)

    def path(self, iteration: int) -> Path:
        """Return the folder of a checkpoint, whether it exists or not."""
        return checkpoint_path(self.folder, iteration)

    def save(self, checkpoint: Checkpoint) -> None:
        """Write or replace a checkpoint; ``TypeError`` if JSON cannot restore its state exactly."""
        with storage_errors(self.folder):
            if not self.folder.exists():
                self.folder.mkdir()
                flush_to_disk(self.folder.parent)
            self._clean_up()
            final = self.path(checkpoint.iteration)
            temporary = self.folder / f".{final.name}{_SAVING}"
            write_checkpoint(temporary, checkpoint)
            replaced = self.folder / f".{final.name}{_REPLACED}"
            if final.exists():
                final.rename(replaced)
            temporary.rename(final)
            flush_to_disk(self.folder)
            if replaced.exists():
                shutil.rmtree(replaced)

    def load_latest(self) -> Checkpoint | None:
        """Load the newest intact checkpoint; None if there are no checkpoints.

        Damaged checkpoints are renamed with the suffix ``.damaged``, with a warning, and an earlier
        one is loaded; if all are damaged, ``ResumeError`` is raised. This costs time but does not
        change results, because a run computes the same numbers from any of its checkpoints.
        """
        with storage_errors(self.folder):
            self._clean_up()
        damaged: list[DamagedCheckpointError] = []
        for iteration in reversed(self.iterations()):
            try:
                checkpoint = read_checkpoint(self.path(iteration))
            except DamagedCheckpointError as error:
                damaged.append(error)
            else:
                for damage in damaged:
                    self._set_aside(damage)
                return checkpoint
        if not damaged:
            return None
        listing = "\n".join(f"  {error}" for error in damaged)
        raise ResumeError(
            f"No checkpoint of this run can be read:\n{listing}\nRestore one from a copy to "
            "resume; to start from the beginning, choose another run_id or delete "
            f"{self.folder}."
        )

    def find(self, which: int | str) -> Path:
        """Return the folder of a checkpoint: ``latest``, ``best``, or the number of an iteration.

        The run may be open in another process. If the checkpoint does not exist, the message of the
        ``CheckpointError`` lists the existing ones; the error is raised for one of another run,
        too.
        """
        iterations = self.iterations()
        if which == "best":
            best = read_best(self.folder)
            iteration = None if best is None else best.iteration
        elif which == "latest":
            iteration = iterations[-1] if iterations else None
        else:
            iteration = int(which) if str(which).isdecimal() else None
        if iteration is not None and iteration in iterations:
            origin = Origin.of_folder(self.folder.parent)
            if reason := foreign_checkpoint(self.folder, iteration, origin):
                raise CheckpointError(f"{reason} Choose another checkpoint, or another run.")
            return self.path(iteration)
        known = ["latest", *["best"] * (read_best(self.folder) is not None), *map(str, iterations)]
        raise CheckpointError(
            f"There is no checkpoint {which!r} in {self.folder}. "
            + (f"There are {', '.join(known)}." if iterations else "No checkpoint was saved yet.")
        )

    def load(self, which: int | str) -> Checkpoint:
        """Load what ``find`` returns; ``CheckpointError`` if it is damaged. Changes no file."""
        return read_intact(self.find(which))

    def prune(
        self, keep_last: int, permanent_every: int | None = None, protected: Collection[int] = ()
    ) -> None:
        """Delete old checkpoints, except the ``keep_last`` newest, the best and the protected ones.

        Multiples of the iteration ``permanent_every`` are kept, too, and those that this user may
        not write to.
        """
        assert keep_last >= 1, f"keep_last must be at least 1, got {keep_last}"
        best = read_best(self.folder)
        kept = {*protected, *([] if best is None else [best.iteration])}
        for iteration in self.iterations()[:-keep_last]:
            is_permanent = permanent_every is not None and iteration % permanent_every == 0
            path = self.path(iteration)
            if is_permanent or iteration in kept or not os.access(path, os.W_OK):
                continue
            # A kill during the deletion must not leave an incomplete folder with the name of a
            # complete checkpoint.
            removed = self.folder / f".{path.name}{_REMOVING}"
            with storage_errors(path):
                path.rename(removed)
                shutil.rmtree(removed)

    def _clean_up(self) -> None:
        """Undo or finish the operations of a killed process."""
        if not self.folder.is_dir():
            return
        for suffix in (_SAVING, _REMOVING):
            for leftover in self.folder.glob(f".iteration_*{suffix}"):
                shutil.rmtree(leftover)
        for replaced in self.folder.glob(f".iteration_*{_REPLACED}"):
            original = self.folder / replaced.name[1:].removesuffix(_REPLACED)
            if original.exists():
                shutil.rmtree(replaced)
            else:
                replaced.rename(original)

    def _set_aside(self, error: DamagedCheckpointError) -> None:
        aside = error.folder.with_name(f"{error.folder.name}{_DAMAGED}")
        if aside.exists():
            shutil.rmtree(aside)
        error.folder.rename(aside)
        warnings.warn(
            f"{error}. It was renamed to {aside.name}, and the run resumes from an earlier "
            "checkpoint: the lost iterations are computed again, with the same results.",
            NipWarning,
            stacklevel=4,
        )
