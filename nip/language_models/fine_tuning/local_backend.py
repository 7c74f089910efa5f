"""The fine-tuning backend ``local``: jobs in processes on this machine."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from nip.errors import ParameterError
from nip.language_models.chat import ModelSpec
from nip.language_models.errors import BadRequestError, UnknownModelError
from nip.language_models.fine_tuning.backend import FineTuningBackend, JobRequest, RemoteJob
from nip.language_models.fine_tuning.job_names import display_name
from nip.language_models.fine_tuning.registry import register_fine_tuning_backend
from nip.language_models.local_model.folder import (
    FOLDER_PROVIDERS,
    check_folder,
    find_model,
    require_package,
)
from nip.language_models.local_training.job_folder import (
    DATASETS_FOLDER,
    JOBS_FOLDER,
    JobFolder,
    JobStatus,
    TrainingRequest,
)
from nip.language_models.local_training.worker import WORKER_LOCK, WORKER_LOG
from nip.language_models.provider_registry import ConnectionContext
from nip.utils.file_lock import FileLock
from nip.utils.files import make_folder, with_home, write_atomically
from nip.utils.secrets import scrub
from nip.utils.unicode_text import valid_unicode, visible

_LOG_TAIL_BYTES = 2000

# Workers started by this process, by folder. Kept, because the pipe to a worker tells it that this
# process lives, and because an ended worker is a zombie until it is polled.
_WORKERS: dict[Path, subprocess.Popen[bytes]] = {}


@register_fine_tuning_backend("local")
class LocalBackend(FineTuningBackend):
    """Trains local models in processes of their own, which survive the end of the experiment.

    Everything is in the folder ``local_jobs`` of the run, in which a job has the name of its key. A
    worker process starts the jobs; see ``nip.language_models.local_training``.
    """

    min_examples = 1
    methods = ("supervised", "dpo", "policy_gradient")
    is_free = True
    poll_s = 0.05
    parameter_group = "local_training"
    mocked_by = "openai"

    def __init__(self, model: ModelSpec, context: ConnectionContext) -> None:
        self.check_access(model, context)
        if context.run_folder is None:
            raise ParameterError(
                "The fine-tuning backend 'local' needs the folder of a run: set "
                "ConnectionContext(run_folder=...)."
            )
        self._model = model
        self._num_threads = context.num_threads
        self._folder = context.run_folder.absolute() / JOBS_FOLDER
        self._shown_folder = context.run_folder / JOBS_FOLDER
        make_folder(self._folder / DATASETS_FOLDER)

    @classmethod
    def check_access(cls, model: ModelSpec, context: ConnectionContext) -> None:  # noqa: ARG003
        """Check the packages and the folder of the model, see ``FineTuningBackend``."""
        if model.provider.lower() not in FOLDER_PROVIDERS:
            raise ParameterError(
                f"fine_tuning.backend='local' trains models of model_provider='local' or 'vllm', "
                f"got {model.model_name!r} of model_provider={model.provider!r}. Choose another "
                "backend, or set freeze_agent=true, or rl.num_iterations=1."
            )
        for package in ("transformers", "peft", "accelerate"):
            require_package(package, "fine_tuning.backend='local'")
        check_folder(model.model_name, model.fine_tuned_from)

    async def upload(self, content: bytes, name: str) -> str:
        """Write a dataset."""
        await asyncio.to_thread(write_atomically, self._dataset(name), content)
        return name

    async def find_file(self, name: str) -> str | None:
        """Look up a dataset."""
        return name if self._dataset(name).is_file() else None

    async def create_job(self, request: JobRequest) -> RemoteJob:
        """Write the request of a job, and start the worker if none is running."""
        given: dict[str, Any] = request.hyper_params
        if request.policy_gradient is not None:
            # Advantages are those of the model that wrote the responses, so that one pass is usual.
            given = {"n_epochs": 1, **given, "policy_gradient": self._with_absolute_names(request)}
        if request.method == "dpo" and request.options.get("dpo_reference") == "base":
            base = self._model.fine_tuned_from or self._model.model_name
            given = {**given, "reference_model": self._absolute(base)}
        training = TrainingRequest(
            base_model=self._absolute(request.base_model),
            adapted_model=self._absolute(self._adapted_model(request.base_model)),
            dataset=str(self._dataset(request.training_file_id)),
            method=request.method,
            seed=request.seed,
            num_threads=self._num_threads,
            options=request.options,
            name=display_name(request.metadata),
            **given,
        )
        await asyncio.to_thread(self._job(request.key).create, training)
        return await self.get_job(request.key)

    async def find_job(self, key: str) -> RemoteJob | None:
        """Look up a job that may have been created before a crash."""
        return await self.get_job(key) if self._job(key).exists else None

    async def get_job(self, job_id: str) -> RemoteJob:
        """Read the state of a job; start the worker if it has not ended and none is running."""
        return await asyncio.to_thread(self._read, job_id)

    async def cancel_job(self, job_id: str) -> RemoteJob:
        """Ask the worker to cancel a job."""
        job = await self.get_job(job_id)
        if job.status in ("succeeded", "failed", "cancelled"):
            raise BadRequestError(f"The job {job_id} has ended already.")
        await asyncio.to_thread(self._job(job_id).cancel)
        return await self.get_job(job_id)

    async def list_events(self, job_id: str) -> list[dict[str, Any]]:
        """Read the messages of the job, and the loss of each update."""
        return await asyncio.to_thread(self._job(job_id).events)

    def _read(self, job_id: str) -> RemoteJob:
        job = self._job(job_id)
        if not job.exists:
            raise UnknownModelError(f"There is no job {job_id} in {self._shown_folder}.")
        status = job.status
        if not status.is_final:
            status = self._ensure_worker() or status
        error = None if status.error is None else scrub(visible(valid_unicode(status.error)))
        model = str(self._shown_folder / job_id / job.model.name)
        return RemoteJob(
            job_id,
            status.status,
            model=model if status.status == "succeeded" else None,
            trained_tokens=status.trained_tokens,
            error=error,
        )

    def _ensure_worker(self) -> JobStatus | None:
        """Start a worker if none is running; return a failure if it cannot be started."""
        started = _WORKERS.get(self._folder)
        code = None if started is None else started.poll()
        if started is not None and code is None:
            return None
        if code:
            del _WORKERS[self._folder]
            log = (self._folder / WORKER_LOG).read_bytes()[-_LOG_TAIL_BYTES:]
            text = log.decode(errors="replace").strip()
            return JobStatus("failed", f"The worker of local jobs ended with code {code}: {text}")
        lock = FileLock(self._folder / WORKER_LOCK)
        if lock.acquire(wait=False):
            lock.release()
            _WORKERS[self._folder] = _start_worker(self._folder)
        return None

    def _job(self, key: str) -> JobFolder:
        return JobFolder(self._folder / _plain(key))

    def _dataset(self, name: str) -> Path:
        return self._folder / DATASETS_FOLDER / _plain(name)

    def _adapted_model(self, base_model: str) -> str | None:
        """Return the folder of the model below an adapter; None if the model is no adapter."""
        folder = with_home(base_model)
        found = find_model(folder, self._model.fine_tuned_from)
        return None if isinstance(found, Path) else str(found.model)

    def _with_absolute_names(self, request: JobRequest) -> dict[str, Any]:
        given = dict(request.policy_gradient or {})
        given["reference_model"] = self._absolute(given["reference_model"] or request.base_model)
        given["earlier_models"] = [self._absolute(name) for name in given["earlier_models"]]
        return given

    def _absolute(self, name: Any) -> Any:
        return None if name is None else str(with_home(name).absolute())


def _plain(name: str) -> str:
    """Return a name that cannot lead out of its folder."""
    if Path(name).name != name or name in ("", ".", ".."):
        raise BadRequestError(f"{name!r} is not the name of a job or file.")
    return name


def _start_worker(folder: Path) -> "subprocess.Popen[bytes]":
    """Start a worker that survives this process, and is told of its end by a pipe."""
    package_folder = str(Path(__file__).parents[3])
    path = os.pathsep.join(filter(None, [package_folder, os.environ.get("PYTHONPATH")]))
    with (folder / WORKER_LOG).open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "nip.language_models.local_training", str(folder)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            # Ctrl-C is for the experiment: its jobs go on, as those of a service do.
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": path},
        )
