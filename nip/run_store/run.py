"""A run: one experiment and all that it leaves on disk."""

import json
import math
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from nip.errors import NipWarning, ResumeError, warn_user
from nip.experiment_settings import ExperimentSettings
from nip.parameters.yaml_text import load_mapping
from nip.run_store.checkpoints.checkpoint import (
    BestCheckpoint,
    Checkpoint,
    checkpoint_path,
    read_best,
    write_best,
)
from nip.run_store.database import DIGEST_PREFIX, STATE_PREFIX, RunDatabase
from nip.run_store.database.history import RunHistory
from nip.run_store.opening import ResumePolicy, note_start, open_run_folder
from nip.utils.exact_json import dump_exactly
from nip.utils.file_lock import FileLock
from nip.utils.files import write_atomically

if TYPE_CHECKING:
    from nip.run_store.checkpoints.checkpoint_folder import CheckpointFolder

RunStatus = Literal["running", "completed", "failed"]

_CHECKPOINTS = "checkpoints"


class Run:
    """An open run, of which this process is the only writer.

    Made by ``Run.open``; close it, or use it in a ``with`` statement, to let another process go on.

    Attributes
    ----------
    run_id
        Name of the run and of its folder.
    folder
        Where everything lies.
    is_new
        Whether this start made the run, rather than going on with an old one.
    history
        All metrics so far, those of earlier starts included.
    journal
        Every finished message of the rollouts that are not finished.
    rollouts
        The finished rollouts.
    jobs
        The fine-tuning jobs.
    """

    def __init__(
        self, folder: Path, is_new: bool, lock: FileLock, settings: ExperimentSettings
    ) -> None:
        self.run_id = folder.name
        self.folder = folder
        self.is_new = is_new
        self._lock = lock
        self._settings = settings
        self._database = RunDatabase(folder / "run.db")
        self.history: RunHistory = self._database.load_history()
        self.journal = self._database.journal
        self.rollouts = self._database.rollouts
        self.jobs = self._database.jobs

    @classmethod
    def open(
        cls,
        settings: ExperimentSettings,
        run_id: str,
        parameters: Mapping[str, Any],
        resume: ResumePolicy = "auto",
    ) -> Self:
        """Begin a run, or go on with one that has the same parameters.

        A new folder appears complete or not at all.

        Parameters
        ----------
        settings : ExperimentSettings
            Where runs lie, and what is noted about this start.
        run_id : str
            Name of the run.
        parameters : Mapping[str, Any]
            The full tree of hyper-parameters, as plain data.
        resume : ResumePolicy
            What to do if the run exists: go on (``auto``, ``must``) or refuse (``never``); and if
            it does not: begin it (``auto``, ``never``) or refuse (``must``).

        Raises
        ------
        ResumeError
            If ``resume`` does not allow it, if any parameter differs from the stored one (the
            message lists them), or if another process has the run open.
        ParameterError
            If ``run_id`` is no safe name for a folder.
        """
        opened = open_run_folder(settings, run_id, parameters, resume)
        try:
            return cls(opened.path, opened.is_new, opened.lock, settings)
        except BaseException:
            opened.lock.release()
            raise

    def start(self, data: Mapping[str, str] | None = None) -> None:
        """Note that the work begins, or goes on; until then an existing run is left as it was.

        Parameters
        ----------
        data : Mapping[str, str], optional
            Digests, by name, of what the run learns from.

        Raises
        ------
        ResumeError
            If a digest is not the one that the run began with.
        """
        self._check_same_data(data or {})
        if not self.is_new:
            self._warn_of_other_rounding()
            note_start(self.folder, self._settings)
        self._database.set_state("status", "running")
        (self.folder / "result.json").unlink(missing_ok=True)

    @property
    def status(self) -> RunStatus:
        """How far the run is: ``running`` also after a kill, until it is finished."""
        status = self._database.get_state("status", "running")
        assert status in ("running", "completed", "failed"), status
        return status  # type: ignore[return-value]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Store all that happens within, or, after an error or a kill, nothing of it.

        Metrics, state, messages, rollouts and jobs take part, files do not. Do not ``await``
        within: what other tasks store meanwhile would become a part of it.
        """
        try:
            with self._database.transaction():
                yield
        except BaseException:
            # Metrics that were logged within are in memory already.
            self.history.replace(self._database.load_history())
            raise

    def get_state(self, key: str, default: Any = None) -> Any:
        """Read what ``set_state`` stored; ``default`` if there is nothing."""
        stored = self._database.get_state(f"{STATE_PREFIX}{key}", "")
        return json.loads(stored) if stored else default

    def set_state(self, key: str, value: Any) -> None:
        """Store plain data, such as the stage that comes next.

        Raises
        ------
        TypeError
            If the value holds something that JSON would change or cannot hold.
        """
        self._database.set_state(f"{STATE_PREFIX}{key}", dump_exactly(value))

    def log(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """Store the metrics of one iteration, on disk and in ``history``, in one transaction."""
        self._database.log_metrics(int(iteration), metrics)
        self.history.update(iteration, metrics)

    def truncate(self, iteration: int) -> None:
        """Drop the metrics of all iterations after this one, which will be computed again.

        Called when a run goes on from a checkpoint: a killed process may have logged more than it
        had saved. With -1 everything goes.
        """
        self._database.truncate_metrics(iteration)
        self.history.truncate(iteration)

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint; it counts once all of it, and all metrics so far, are on the disk."""
        self._database.flush()
        self._checkpoints.save(checkpoint)

    def load_latest_checkpoint(self) -> Checkpoint | None:
        """Read the newest intact checkpoint; None if the run has none yet.

        Raises
        ------
        ResumeError
            If there are checkpoints, but none is intact.
        """
        return self._checkpoints.load_latest()

    def load_checkpoint(self, which: int | str = "latest") -> Checkpoint:
        """Read a certain checkpoint: ``latest``, ``best``, or that of an iteration.

        Raises
        ------
        CheckpointError
            If there is no such checkpoint (the message lists those there are), or it is damaged.
        """
        return self._checkpoints.load(which)

    def prune_checkpoints(
        self,
        keep_last: int | None = None,
        permanent_every: int | None = None,
        protected: Collection[int] = (),
    ) -> None:
        """Delete what need not be kept; the best checkpoint always is.

        Parameters
        ----------
        keep_last : int, optional
            So many of the newest are kept; None: as the settings say.
        permanent_every : int, optional
            Those of every so many iterations are kept for good; None: as the settings say.
        protected : Collection[int]
            Further iterations to keep.
        """
        settings = self._settings
        self._checkpoints.prune(
            keep_last or settings.max_checkpoints,
            permanent_every or settings.permanent_every,
            protected,
        )

    def mark_best(self, iteration: int, metric: str, value: float) -> None:
        """Note that a saved checkpoint is the best so far; the mark of another one is replaced.

        A run without checkpoints, one of language models for instance, has none to mark.

        A trainer saves, marks, and only then prunes, and marks once more what its state calls the
        best when it goes on: so a kill between any two of these loses neither.
        """
        if (self.folder / _CHECKPOINTS).is_dir():
            write_best(
                self.folder / _CHECKPOINTS, BestCheckpoint(int(iteration), metric, float(value))
            )

    @property
    def best_checkpoint(self) -> Path | None:
        """Folder of the best checkpoint; None if none was marked."""
        folder = self.folder / _CHECKPOINTS
        best = read_best(folder)
        return None if best is None else checkpoint_path(folder, best.iteration)

    def finish(
        self, status: Literal["completed", "failed"], error: BaseException | str | None = None
    ) -> None:
        """Note how the run ended: status, ``result.json``, and a picture of the learning curves.

        Parameters
        ----------
        status : Literal["completed", "failed"]
            A completed run is not trained again; a failed one goes on when it is started again.
        error : BaseException | str, optional
            What made it fail.
        """
        write_atomically(self.folder / "result.json", self._result(status, error))
        self._draw_learning_curve()
        # Last: a run that is killed before this line goes on, and finishes once more.
        self._database.set_state("status", status)
        self._database.flush()

    def close(self) -> None:
        """Close all files and let other processes open the run."""
        self._database.close()
        self._lock.release()

    def __enter__(self) -> Self:
        """Give the run itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close the run."""
        self.close()

    @property
    def _checkpoints(self) -> "CheckpointFolder":
        # Imported when needed, because it brings torch along.
        from nip.run_store.checkpoints.checkpoint_folder import CheckpointFolder

        return CheckpointFolder(self.folder / _CHECKPOINTS)

    def _check_same_data(self, data: Mapping[str, str]) -> None:
        for name, digest in data.items():
            if self._database.get_state(f"{DIGEST_PREFIX}{name}", digest) != digest:
                raise ResumeError(
                    f"The {name} of run {self.run_id!r} has changed since the run started. "
                    "Restore the original to resume, or choose another run_id for a new run."
                )
        for name, digest in data.items():
            self._database.set_state(f"{DIGEST_PREFIX}{name}", digest)

    def _warn_of_other_rounding(self) -> None:
        stored = load_mapping((self.folder / "settings.yaml").read_text(encoding="utf-8"))
        for name in ("device", "num_threads"):
            now = getattr(self._settings, name)
            if stored.get(name, now) != now:
                warn_user(
                    f"Run {self.run_id!r} goes on with settings.{name}={now!r} after "
                    f"{stored[name]!r}: sums may be rounded differently, so that its numbers are "
                    "no longer those of a run that was never interrupted."
                )

    def _result(self, status: str, error: BaseException | str | None) -> str:
        result: dict[str, Any] = {
            "run_id": self.run_id,
            "status": status,
            # Strict JSON has no NaN and no infinity; readers in other languages choke on them.
            "metrics": {
                name: value if math.isfinite(value) else None
                for name, value in self.history.latest_all().items()
            },
        }
        if stop_reason := self.get_state("stop_reason"):
            result["stopped"] = stop_reason
        if error is not None:
            result["error"] = error if isinstance(error, str) else _describe_error(error)
        return json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def _draw_learning_curve(self) -> None:
        from nip.run_store.report.learning_curve import draw_learning_curve

        try:
            draw_learning_curve(self.history, self.run_id, self.folder / "learning_curve.png")
        except Exception as error:
            warnings.warn(
                f"The learning curve of run {self.run_id!r} could not be drawn ({error!r}). The "
                "numbers are safe; scripts/plot_learning_curves.py can try again.",
                NipWarning,
                stacklevel=3,
            )


def _describe_error(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
