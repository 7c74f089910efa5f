"""Launchers ``submitit`` and ``slurm``: jobs of submitit, on this machine or in a Slurm cluster."""

import json
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nip.errors import ParameterError
from nip.sweeps.launcher import Job, Launcher, Task, launcher_registry, missing_library
from nip.sweeps.launchers.task_process import TaskProcess
from nip.utils.files import write_atomically
from nip.utils.stop_signals import EXIT_RESUME

if TYPE_CHECKING:
    import submitit

_DAY_MIN = 24 * 60
_MAX_NUM_TIMEOUTS = 100
"""How often a job that reaches its time limit is put into the queue again."""
_FAILED = 1


class CellJob(TaskProcess):
    """What submitit executes, with its interface for jobs that are stopped before their end."""

    def __call__(self) -> int:
        """Run the cell to its end; return the exit code of its process."""
        # Slurm sends SIGTERM to all processes of a job; submitit would ignore it in this one.
        self.forward(signal.SIGTERM)
        return super().__call__()

    def checkpoint(self) -> "submitit.helpers.DelayedSubmission":
        """Let the run save and end, and return what submitit puts into the queue again."""
        import submitit

        self.save_and_end()
        return submitit.helpers.DelayedSubmission(CellJob(self.task))


class SubmititJob(Job):
    """A job of submitit."""

    def __init__(self, job: "submitit.Job[int]") -> None:
        self.job = job

    def exit_code(self) -> int | None:
        """Return the exit code of the process of the cell; None while the job waits or runs."""
        import submitit

        if not self.job.done():
            return None
        try:
            return self.job.result()
        except (submitit.core.utils.UncompletedJobError, submitit.core.utils.FailedJobError):
            # It was ended from outside, and the run folder has what was saved.
            return EXIT_RESUME if _is_preempted(self.job) else _FAILED

    def stop(self) -> None:
        """Send SIGTERM on this machine; in Slurm, leave the job alone."""
        process = getattr(self.job, "_process", None)
        if process is not None:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)


class SubmititLauncher(Launcher):
    """Submits one job for each task.

    The options are those of submitit's ``AutoExecutor.update_parameters``.
    """

    cluster = "local"

    def __init__(self, options: Mapping[str, Any], folder: Path) -> None:
        super().__init__(options, folder)
        self._executor = self._build_executor()

    def start(self, task: Task) -> Job:
        """Submit a job."""
        job = self._executor.submit(CellJob(task))
        return SubmititJob(job)

    def _build_executor(self) -> "submitit.AutoExecutor":
        try:
            import submitit
        except ImportError as error:
            raise missing_library(self.cluster, "submitit", "submitit") from error
        try:
            executor = submitit.AutoExecutor(
                self.folder / "jobs",
                cluster=self.cluster,
                **{f"{self.cluster}_max_num_timeout": _MAX_NUM_TIMEOUTS},
            )
        except RuntimeError as error:  # The program srun is missing.
            raise ParameterError(
                f"launcher={self.cluster} cannot be used on this machine: {error}. Start the "
                "sweep where jobs can be submitted, or use launcher=processes."
            ) from error
        try:
            executor.update_parameters(**{"timeout_min": _DAY_MIN, "name": "nip", **self.options})
        except (NameError, TypeError, ValueError, AssertionError) as error:
            raise ParameterError(
                f"launcher_options are refused by submitit: {error}. They are parameters of "
                "submitit.AutoExecutor, such as timeout_min, gpus_per_node and slurm_partition."
            ) from error
        return executor


@launcher_registry.register("submitit")
class LocalSubmititLauncher(SubmititLauncher):
    """Executes jobs of submitit on this machine, as a rehearsal of ``slurm``."""


@launcher_registry.register("slurm")
class SlurmLauncher(SubmititLauncher):
    """Submits jobs to Slurm, which continue when the sweep is stopped."""

    cluster = "slurm"
    poll_s = 5.0
    outlives_sweep = True

    def start(self, task: Task) -> Job:
        """Submit a job, and note its number, by which a later process finds it."""
        job = self._executor.submit(CellJob(task))
        write_atomically(self._note(task.run_id), json.dumps({"job_id": job.job_id}))
        return SubmititJob(job)

    def find(self, run_id: str) -> Job | None:
        """Return the job of a run if it waits or runs."""
        import submitit

        try:
            job_id = json.loads(self._note(run_id).read_text(encoding="utf-8"))["job_id"]
        except (OSError, ValueError, LookupError):
            return None
        job: submitit.Job[int] = submitit.SlurmJob(self.folder / "jobs", job_id)
        return None if job.done(force_check=True) else SubmititJob(job)

    def _note(self, run_id: str) -> Path:
        folder = self.folder / "submitted"
        folder.mkdir(exist_ok=True)
        return folder / f"{run_id}.json"


def _is_preempted(job: "submitit.Job[int]") -> bool:
    state = str(job.state).upper()
    return any(word in state for word in ("PREEMPTED", "TIMEOUT", "REQUEUED", "INTERRUPTED"))
