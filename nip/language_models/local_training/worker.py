"""The worker of a folder of jobs: it starts each job in a process of its own.

Importing the libraries takes ten seconds, more than the training of a small model. So the worker
imports them once, and jobs are forks of it. It survives the end of the experiment that has started
it, finishes the jobs, and then ends.
"""

import gc
import importlib
import os
import select
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path

from nip.language_models.local_training.checkpoints import last_saved_update
from nip.language_models.local_training.job_folder import (
    JobFolder,
    JobStatus,
    TrainingRequest,
    unfinished_jobs,
)
from nip.utils.file_lock import FileLock

WORKER_LOCK = "worker.lock"
WORKER_LOG = "worker.log"
"""Standard error of the worker."""

_POLL_S = 0.1
_TAKEN = 3
"""Exit code of a job that another process is working on."""

_NAMES_OF_SIGNALS = {signal.SIGKILL: "SIGKILL, perhaps because the memory was exhausted"}


class Worker:
    """Runs the jobs of a folder until the experiment has ended and none is left.

    Parameters
    ----------
    folder : Path
        Folder of the jobs.
    experiment : int | None
        File descriptor that reaches its end when the experiment ends; None: it has ended.
    """

    def __init__(self, folder: Path, experiment: int | None) -> None:
        self._folder = folder
        self._experiment = experiment
        self._processes: dict[int, JobFolder] = {}
        self._imported: set[str] = set()

    def run(self) -> None:
        """Work until there is nothing to do and nobody who could ask for more."""
        while True:
            jobs = unfinished_jobs(self._folder)
            running = {job.path for job in self._processes.values()}
            for job in jobs:
                if job.path not in running:
                    self._start_if_free(job)
            for pid, job in self._processes.items():
                if job.is_cancelled:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGTERM)
            self._collect()
            if not jobs and self._experiment is None:
                return
            self._wait()

    def _wait(self) -> None:
        """Wait a little, or until the experiment reports a new job or ends."""
        if self._experiment is None:
            select.select([], [], [], _POLL_S)
            return
        readable, _, _ = select.select([self._experiment], [], [], _POLL_S)
        if readable and not os.read(self._experiment, 4096):
            self._experiment = None

    def _start_if_free(self, job: JobFolder) -> None:
        """Start a job, unless it is cancelled, or a process of an earlier worker has it."""
        if len(self._processes) >= num_parallel_jobs(self._processes.values(), job):
            return
        if not job.lock.acquire(wait=False):
            return
        job.lock.release()
        if job.status.is_final:
            return
        if job.is_cancelled:
            job.status = JobStatus("cancelled")
            job.forget_progress()
            return
        if job.status.status == "running" and not self._may_continue(job, None):
            return
        try:
            self._import(job.request())
        except Exception as error:
            job.status = JobStatus("failed", f"{type(error).__name__}: {error}")
            return
        pid = os.fork()
        if pid == 0:
            _run_in_fork(job)
        self._processes[pid] = job

    def _import(self, request: TrainingRequest) -> None:
        """Import what jobs need, and the code of their kind of model."""
        for name in ("torch", "safetensors.torch", "nip.language_models.local_training.training"):
            importlib.import_module(name)
        transformers = importlib.import_module("transformers")
        if request.options["adaptation"] == "lora" or request.adapted_model is not None:
            importlib.import_module("peft")
        source = request.adapted_model or request.base_model
        if source not in self._imported:
            self._imported.add(source)
            # Errors of the folder are reported by the job.
            with suppress(Exception):
                config = transformers.AutoConfig.from_pretrained(source, local_files_only=True)
                _ = transformers.AutoModelForCausalLM._model_mapping[type(config)]
                _ = transformers.AutoTokenizer
        # What was imported stays in the memory that all jobs share.
        gc.freeze()

    def _collect(self) -> None:
        """Take note of the processes that have ended."""
        for pid in list(self._processes):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if not ended:
                continue
            job = self._processes.pop(pid)
            if job.status.is_final or os.waitstatus_to_exitcode(status) == _TAKEN:
                continue
            if job.is_cancelled:
                job.status = JobStatus("cancelled")
                job.forget_progress()
            else:
                self._may_continue(job, os.waitstatus_to_exitcode(status))

    def _may_continue(self, job: JobFolder, exit_code: int | None) -> bool:
        """Return whether a job whose process has died may be started again; otherwise it fails.

        A job that dies twice without a new checkpoint in between would do so again.
        """
        saved = last_saved_update(job.checkpoints)
        if job.deaths and job.deaths[-1] == saved:
            job.status = JobStatus("failed", _describe_death(job, exit_code, saved))
            job.forget_progress()
            return False
        job.deaths = [*job.deaths, saved]
        # Otherwise it would count as another death when it is started again.
        job.status = JobStatus("queued")
        return True


def num_parallel_jobs(running: object, job: JobFolder) -> int:  # noqa: ARG001
    """Return how many jobs may run at once: as many as there are cores, or one on a GPU."""
    request = job.request()
    if request.options["device"] != "cpu" and importlib.import_module("torch").cuda.is_available():
        return 1
    return max(1, (os.cpu_count() or 1) // request.num_threads)


def _describe_death(job: JobFolder, exit_code: int | None, saved: int) -> str:
    text = "The process of the job ended twice without a reason"
    if exit_code is not None and exit_code < 0:
        name = _NAMES_OF_SIGNALS.get(signal.Signals(-exit_code), signal.Signals(-exit_code).name)
        text = f"The process of the job was ended twice by {name}"
    elif exit_code is not None:
        text = f"The process of the job ended twice with the code {exit_code}"
    tail = job.output_tail().strip()
    return f"{text}, after update {saved}." + (f" It wrote: {tail[-500:]}" if tail else "")


def _run_in_fork(job: JobFolder) -> None:
    """Run a job in a new process, which never returns."""
    code = 1
    try:
        os.setsid()
        if not job.lock.acquire(wait=False):
            os._exit(_TAKEN)
        output = os.open(job.output_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        for stream in (1, 2):
            os.dup2(output, stream)
        os.close(0)
        from nip.language_models.local_training.launch import run_or_launch

        run_or_launch(job)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # Without the exit handlers, which belong to the worker.
        os._exit(code)


def work(folder: Path) -> int:
    """Run the jobs of a folder, unless another worker does so; return the exit code."""
    lock = FileLock(folder / WORKER_LOCK)
    if not lock.acquire(wait=False):
        return 0
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    # Otherwise asking for a GPU would make it unusable in forks.
    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"
    Worker(folder, sys.stdin.fileno()).run()
    return 0
