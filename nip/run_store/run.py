"""``Run``: the folder of one experiment, opened for writing."""

import json
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from nip.command_table import typed
from nip.errors import NipWarning, ParameterError, ResumeError, StorageError, warn_user
from nip.experiment_settings import ExperimentSettings
from nip.parameters.tree.yaml_text import load_mapping
from nip.run_store.checkpoints.checkpoint import (
    BestCheckpoint,
    Checkpoint,
    checkpoint_path,
    read_best,
    write_best,
)
from nip.run_store.consistency import CHECKPOINTS, DATABASE_FILE, RESULT_FILE, result_metrics
from nip.run_store.database import DIGEST_PREFIX, LAST_CHECKPOINT_KEY, STATE_PREFIX, RunDatabase
from nip.run_store.database.bill import BILL_KEY, BILL_TOTALS
from nip.run_store.database.history import RunHistory
from nip.run_store.database.origin import Origin
from nip.run_store.opening import (
    OpenedFolder,
    ResumePolicy,
    create_run_folder,
    open_run_folder,
    record_start,
)
from nip.utils.exact_json import dump_exactly
from nip.utils.file_lock import FileLock
from nip.utils.files import read_text, write_atomically
from nip.utils.secrets import scrub_code
from nip.utils.unicode_text import escape_controls

if TYPE_CHECKING:
    from nip.run_store.checkpoints.checkpoint_folder import CheckpointFolder

RunStatus = Literal["running", "completed", "failed"]


_BEFORE_IT_EXISTED = {"native_kernels": "off"}
"""What runs of versions without a setting did."""


class Run:
    """A run opened for writing, by this process only.

    Create it with ``Run.open`` or ``Run.create``. Close it, or use it as a context manager, so that
    other processes can open the run.

    Attributes
    ----------
    run_id
        Name of the run and its folder.
    folder
        Folder of the run.
    is_new
        Whether ``open`` created the run, rather than resuming it.
    history
        All metrics, including those of earlier processes.
    journal
        Finished messages of unfinished rollouts.
    rollouts
        Finished rollouts.
    jobs
        Fine-tuning jobs.
    """

    def __init__(
        self, folder: Path, is_new: bool, lock: FileLock, settings: ExperimentSettings
    ) -> None:
        self.run_id = folder.name
        self.folder = folder
        self.is_new = is_new
        self._lock = lock
        self._settings = settings
        self._origin = Origin.of_folder(folder)
        self._database = RunDatabase(folder / DATABASE_FILE)
        if self._origin.run_identity is None:  # environment.json was deleted
            identity = self._database.origin().run_identity
            self._origin = replace(self._origin, run_identity=identity)
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
        """Create a run, or resume one that has the same parameters.

        A new run folder is created atomically.

        Parameters
        ----------
        settings : ExperimentSettings
            Folder of the runs, and further settings to record.
        run_id : str
            Name of the run.
        parameters : Mapping[str, Any]
            The full tree of hyper-parameters, as plain data.
        resume : ResumePolicy
            If the run exists: resume it (``auto``, ``must``) or raise (``never``). If it does not:
            create it (``auto``, ``never``) or raise (``must``).

        Raises
        ------
        ResumeError
            If ``resume`` forbids it, if a parameter differs from the stored one (the message lists
            the differences), if another process has the run open, or if files in its folder are
            damaged or do not belong together.
        ParameterError
            If ``run_id`` is not a valid folder name.
        """
        return cls._from(open_run_folder(settings, run_id, parameters, resume), settings)

    @classmethod
    def create(cls, settings: ExperimentSettings, stem: str, parameters: Mapping[str, Any]) -> Self:
        """Create a run whose name is a stem, or the stem and a number if there is such a run.

        Processes that do this at the same time get one run each.
        """
        return cls._from(create_run_folder(settings, stem, parameters), settings)

    @classmethod
    def _from(cls, opened: OpenedFolder, settings: ExperimentSettings) -> Self:
        try:
            return cls(opened.path, opened.is_new, opened.lock, settings)
        except BaseException:
            opened.lock.release()
            raise

    def start(self, data: Mapping[str, str] | None = None) -> None:
        """Mark the run as running. Until then, opening an existing run leaves it unchanged.

        ``data`` has the digests of the datasets by name. If one differs from that of the first
        start, ``ResumeError`` is raised.
        """
        self._check_same_data(data or {})
        if not self.is_new:
            self._warn_of_different_rounding()
            record_start(self.folder, self._settings, self._origin.run_identity or None)
        self._database.set_state("status", "running")
        (self.folder / RESULT_FILE).unlink(missing_ok=True)

    def digests(self) -> dict[str, str]:
        """Return the digests of the datasets and prompts by name; empty before the first start."""
        return self._database.digests()

    @property
    def status(self) -> RunStatus:
        """Status of the run; ``running`` until ``finish`` is called, even after a kill."""
        status = self._database.get_state("status", "running")
        assert status in ("running", "completed", "failed"), status
        return status  # type: ignore[return-value]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Store all writes of a ``with`` block atomically, or none after an error or a kill.

        This covers metrics, state, messages, rollouts and jobs, but not files. Do not ``await`` in
        the block: writes of other tasks would become part of the transaction.
        """
        try:
            with self._database.transaction():
                yield
        except BaseException:
            # Metrics logged in the block are already in memory.
            self.history.replace(self._database.load_history())
            raise

    def get_state(self, key: str, default: Any = None) -> Any:
        """Return a value stored with ``set_state``, or ``default``."""
        stored = self._database.get_state(f"{STATE_PREFIX}{key}", "")
        return json.loads(stored) if stored else default

    def set_state(self, key: str, value: Any) -> None:
        """Store plain data, such as the next stage.

        Raises ``TypeError`` if the value cannot be restored exactly from JSON.
        """
        self._database.set_state(f"{STATE_PREFIX}{key}", dump_exactly(value))

    def log(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """Store the metrics of one iteration on disk and in ``history``."""
        self._database.log_metrics(int(iteration), metrics)
        self.history.update(iteration, metrics)

    def truncate(self, iteration: int) -> None:
        """Delete the metrics of all later iterations.

        Called when a run resumes from a checkpoint: a killed process may have logged metrics of
        iterations after its last checkpoint. -1 deletes all metrics.
        """
        self._database.truncate_metrics(iteration)
        self.history.truncate(iteration)

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, after flushing all metrics so far to disk."""
        announced = int(self._database.get_state(LAST_CHECKPOINT_KEY, "-1"))
        self._database.set_state(LAST_CHECKPOINT_KEY, str(max(announced, checkpoint.iteration)))
        self._database.flush()
        self._checkpoints.save(replace(checkpoint, origin=self._origin))

    def load_latest_checkpoint(self) -> Checkpoint | None:
        """Load the newest intact checkpoint; None, with a warning if there were any, without one.

        Raises
        ------
        ResumeError
            If there are checkpoints, but all are damaged.
        """
        latest = self._checkpoints.load_latest()
        announced = int(self._database.get_state(LAST_CHECKPOINT_KEY, "-1"))
        if latest is None and announced >= 0:
            warn_user(
                f"Run {self.run_id!r} saved, or began to save, a checkpoint after iteration "
                f"{announced}, but has none in {self.folder / CHECKPOINTS}: it starts again from "
                "its first iteration, with the same results."
            )
        return latest

    def load_checkpoint(self, which: int | str = "latest") -> Checkpoint:
        """Load a checkpoint: ``latest``, ``best``, or the number of an iteration.

        Raises
        ------
        CheckpointError
            If the checkpoint does not exist (the message lists the existing ones) or is damaged.
        """
        return self._checkpoints.load(which)

    def prune_checkpoints(
        self,
        keep_last: int | None = None,
        permanent_every: int | None = None,
        protected: Collection[int] = (),
    ) -> None:
        """Delete old checkpoints as ``CheckpointFolder.prune`` does; None: as in the settings."""
        settings = self._settings
        self._checkpoints.prune(
            keep_last or settings.max_checkpoints,
            permanent_every or settings.permanent_every,
            protected,
        )

    def mark_best(self, iteration: int, metric: str, value: float) -> None:
        """Record a saved checkpoint as the best so far.

        Without checkpoints, as in a run of language models, this does nothing.

        A trainer saves, marks, and then prunes, and marks the best checkpoint of its state again
        when it resumes, so that a kill between two of these steps loses neither checkpoint.
        """
        if (self.folder / CHECKPOINTS).is_dir():
            best = BestCheckpoint(int(iteration), metric, float(value))
            write_best(self.folder / CHECKPOINTS, best)

    @property
    def best_checkpoint(self) -> Path | None:
        """Folder of the best checkpoint; None if none is recorded."""
        folder = self.folder / CHECKPOINTS
        best = read_best(folder)
        return None if best is None else checkpoint_path(folder, best.iteration)

    def finish(
        self, status: Literal["completed", "failed"], error: BaseException | str | None = None
    ) -> None:
        """Record how the run ended: status, ``result.json``, and a plot of the learning curves.

        Parameters
        ----------
        status : Literal["completed", "failed"]
            A completed run is not trained again; a failed one can be resumed.
        error : BaseException | str, optional
            The error that ended the run.
        """
        # Before the result, so that it never has metrics that a power failure took from run.db.
        self._database.flush()
        write_atomically(self.folder / RESULT_FILE, self._result(status, error))
        self._draw_learning_curve()
        # Last, so that a run killed before this line is resumed and finished again.
        self._database.set_state("status", status)
        self._database.flush()

    def close(self) -> None:
        """Close all files and release the lock."""
        self._database.close()
        self._lock.release()

    def __enter__(self) -> Self:
        """Return the run."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close the run."""
        self.close()

    @property
    def _checkpoints(self) -> "CheckpointFolder":
        # Imported late, because it imports torch.
        from nip.run_store.checkpoints.checkpoint_folder import CheckpointFolder

        return CheckpointFolder(self.folder / CHECKPOINTS)

    def _check_same_data(self, data: Mapping[str, str]) -> None:
        stored = self.digests()
        for name, digest in data.items():
            if stored.get(name, digest) != digest:
                raise ResumeError(
                    f"The {name} of run {self.run_id!r} has changed since the run started. "
                    "Restore the original to resume, or choose another run_id for a new run."
                )
        for name, digest in data.items():
            self._database.set_state(f"{DIGEST_PREFIX}{name}", digest)

    def _warn_of_different_rounding(self) -> None:
        path = self.folder / "settings.yaml"
        try:
            stored = load_mapping(read_text(path), path) if path.exists() else {}
        except (ParameterError, StorageError) as error:
            # They are only compared; what the run needs to go on is stored elsewhere.
            warn_user(
                f"Run {self.run_id!r} resumes without its former settings: {error} If they were "
                "others, its results can differ from those of an uninterrupted run."
            )
            return
        for name in ("device", "num_threads", "native_kernels", "agent_rows", "compile"):
            now = getattr(self._settings, name)
            before = stored.get(name, _BEFORE_IT_EXISTED.get(name, now) if stored else now)
            if before != now:
                warn_user(
                    f"Run {self.run_id!r} resumes with settings.{name}={now!r} instead of "
                    f"{before!r}: sums may be rounded differently, so that its results can "
                    "differ from those of an uninterrupted run."
                )

    def _result(self, status: str, error: BaseException | str | None) -> str:
        result: dict[str, Any] = {
            "run_id": self.run_id,
            "status": status,
            "metrics": result_metrics(self.history),
        }
        if bill := self.get_state(BILL_KEY):
            result |= {name: bill[name] for name in BILL_TOTALS if name in bill}
            result["bill"] = bill
        if stop_reason := self.get_state("stop_reason"):
            result["stopped"] = stop_reason
        if error is not None:
            result["error"] = error if isinstance(error, str) else _describe_error(error)
        text = json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False)
        return f"{escape_controls(text)}\n"

    def _draw_learning_curve(self) -> None:
        from nip.run_store.report.learning_curve import draw_learning_curve

        try:
            draw_learning_curve(self.history, self.run_id, self.folder / "learning_curve.png")
        except StorageError:
            raise  # The status cannot be stored either.
        except Exception as error:
            warnings.warn(
                f"The learning curve of run {self.run_id!r} could not be plotted ({error!r}). All "
                f"metrics are stored; to plot them: {typed('plot')} {self.run_id}",
                NipWarning,
                stacklevel=3,
            )


def _describe_error(error: BaseException) -> str:
    return scrub_code(f"{type(error).__name__}: {error}")
