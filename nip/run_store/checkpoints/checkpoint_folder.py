"""``checkpoints/``: snapshots from which a run goes on as if it had never stopped.

One folder per checkpoint, ``iteration_000012/``. It is written under a hidden name and renamed when
all of it is on the disk, so a folder with a proper name is complete, whenever the process was
killed. One of them may be marked as the best, in ``best.json``.
"""

import re
import shutil
import warnings
from collections.abc import Collection
from pathlib import Path

from nip.errors import CheckpointError, NipWarning, ResumeError
from nip.run_store.checkpoints.checkpoint import Checkpoint, checkpoint_path, read_best
from nip.run_store.checkpoints.checkpoint_files import (
    DamagedCheckpointError,
    read_checkpoint,
    write_checkpoint,
)
from nip.utils.files import flush_to_disk

_FOLDER_NAME = re.compile(r"iteration_(\d{6,})")
_SAVING = ".saving"
_REMOVING = ".removing"
_REPLACED = ".replaced"
_DAMAGED = ".damaged"


def read_intact(folder: Path) -> Checkpoint:
    """Read a checkpoint that somebody has chosen.

    Raises
    ------
    CheckpointError
        If it is damaged.
    """
    try:
        return read_checkpoint(folder)
    except DamagedCheckpointError as error:
        raise CheckpointError(f"{error}. Put a copy there, or choose another one.") from error


class CheckpointFolder:
    """The checkpoints of one run.

    Only one process may use an instance at a time; the lock of the run sees to that.

    Parameters
    ----------
    folder : Path
        Where the checkpoints lie; made by the first save.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def iterations(self) -> list[int]:
        """Return the iterations of all complete checkpoints, in numeric order."""
        if not self.folder.is_dir():
            return []
        matches = [_FOLDER_NAME.fullmatch(path.name) for path in self.folder.iterdir()]
        return sorted(int(match.group(1)) for match in matches if match)

    def path(self, iteration: int) -> Path:
        """Return the folder of one checkpoint, whether it exists or not."""
        return checkpoint_path(self.folder, iteration)

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint; one of the same iteration is replaced.

        Raises
        ------
        TypeError
            If the state holds something that JSON would change or cannot hold.
        """
        if not self.folder.exists():
            self.folder.mkdir()
            flush_to_disk(self.folder.parent)
        self._tidy()
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
        """Read the newest checkpoint that is intact; None if there are no checkpoints at all.

        A damaged one is set aside with a warning (its folder gets the ending ``.damaged``) and the
        one before it is used: a run computes the same numbers from any of its checkpoints, so this
        costs time but changes nothing.

        Raises
        ------
        ResumeError
            If there are checkpoints, but none is intact.
        """
        self._tidy()
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
            f"No checkpoint of this run can be read:\n{listing}\nPut a copy of one there to go on; "
            f"to start again from the beginning, choose another run_id or delete {self.folder}."
        )

    def find(self, which: int | str) -> Path:
        """Return the folder of one checkpoint, which may be that of another process's run.

        Parameters
        ----------
        which : int | str
            ``latest``, ``best``, or the number of an iteration.

        Raises
        ------
        CheckpointError
            If there is no such checkpoint; the message lists those there are.
        """
        iterations = self.iterations()
        if which == "best":
            best = read_best(self.folder)
            iteration = None if best is None else best.iteration
        elif which == "latest":
            iteration = iterations[-1] if iterations else None
        else:
            iteration = int(which) if str(which).isdecimal() else None
        if iteration in iterations:
            return self.path(iteration)
        known = ["latest", *["best"] * (read_best(self.folder) is not None), *map(str, iterations)]
        raise CheckpointError(
            f"There is no checkpoint {which!r} in {self.folder}. "
            + (f"There are {', '.join(known)}." if iterations else "No checkpoint was saved yet.")
        )

    def load(self, which: int | str) -> Checkpoint:
        """Read one checkpoint and change nothing in the folder.

        Parameters
        ----------
        which : int | str
            ``latest``, ``best``, or the number of an iteration.

        Raises
        ------
        CheckpointError
            If there is no such checkpoint, or it is damaged.
        """
        return read_intact(self.find(which))

    def prune(
        self, keep_last: int, permanent_every: int | None = None, protected: Collection[int] = ()
    ) -> None:
        """Delete what need not be kept; the best checkpoint always is.

        Parameters
        ----------
        keep_last : int
            So many of the newest are kept.
        permanent_every : int, optional
            Those of every so many iterations are kept for good.
        protected : Collection[int]
            Further iterations to keep.
        """
        assert keep_last >= 1, f"keep_last must be at least 1, got {keep_last}"
        best = read_best(self.folder)
        kept = {*protected, *([] if best is None else [best.iteration])}
        for iteration in self.iterations()[:-keep_last]:
            is_permanent = permanent_every is not None and iteration % permanent_every == 0
            if is_permanent or iteration in kept:
                continue
            path = self.path(iteration)
            # A kill during the deletion must not leave a half-empty folder that bears the name of
            # a complete checkpoint.
            doomed = self.folder / f".{path.name}{_REMOVING}"
            path.rename(doomed)
            shutil.rmtree(doomed)

    def _tidy(self) -> None:
        """Undo or finish what a killed process left half done."""
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
            f"{error}. It is now called {aside.name}, and the run goes on from the checkpoint "
            "before it: it computes the lost iterations again, with the same numbers.",
            NipWarning,
            stacklevel=4,
        )
