"""The folder of a fine-tuning job, through which an experiment, a worker and the job communicate.

local_jobs/worker.lock             held by the worker, which starts the jobs
local_jobs/datasets/<name>         datasets in JSON lines
local_jobs/<key>/request.json      what is to be trained
local_jobs/<key>/lock              held by the process of the job
local_jobs/<key>/status.json       state of the job
local_jobs/<key>/cancel            exists if the job is to be cancelled
local_jobs/<key>/deaths.json       steps of the checkpoints that killed processes have left
local_jobs/<key>/events.jsonl      progress, one event per line
local_jobs/<key>/output.log        standard output and error of the job's process
local_jobs/<key>/checkpoints/      state from which a killed job continues
local_jobs/<key>/model/            the result, which appears when it is complete
local_jobs/<key>/optimizer/        state of the optimizer, from which the next job may start
"""

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from nip.utils.file_lock import FileLock
from nip.utils.files import read_text, write_atomically

JOBS_FOLDER = "local_jobs"
"""Folder of all jobs of a run, in the folder of the run."""

DATASETS_FOLDER = "datasets"
MODEL_FOLDER = "model"
OPTIMIZER_FOLDER = "optimizer"
FINAL_STATUSES = ("succeeded", "failed", "cancelled")

_OUTPUT_TAIL_BYTES = 2000


@dataclass(frozen=True)
class TrainingRequest:
    """What a job trains. Paths are absolute, or relative to the working folder of the run."""

    base_model: str
    """Folder of the model or adapter that the training starts from."""

    adapted_model: str | None
    """Folder of the model below it, if ``base_model`` is an adapter whose model is known."""

    dataset: str
    """File of the dataset."""

    method: Literal["supervised", "dpo", "policy_gradient"]
    """Imitation of examples, preference optimisation, or policy gradients."""

    seed: int
    """Seed of the order of the examples, of new adapters and of dropout."""

    n_epochs: int = 3
    """Passes over the examples."""

    batch_size: int = 16
    """Examples per update."""

    learning_rate_multiplier: float = 1.0
    """Factor on the learning rate."""

    beta: float = 0.1
    """DPO only: weight of the KL penalty towards the reference."""

    reference_model: str | None = None
    """DPO only: folder of the reference; None: the model that the training starts from."""

    policy_gradient: Mapping[str, Any] | None = None
    """Policy gradients only: ``clip_epsilon``, ``kl_coefficient``, and the folders
    ``reference_model`` and ``earlier_models``."""

    num_threads: int = 1
    """Threads of PyTorch."""

    options: Mapping[str, Any] = field(default_factory=dict)
    """Values of the hyper-parameters ``local_training``."""

    name: str | None = None
    """Group of agents and iteration, ``group@iteration``; None in jobs of earlier versions."""

    @property
    def group(self) -> str | None:
        """Group of agents whose model is trained; None if unknown."""
        return None if self.name is None else self.name.rpartition("@")[0]


@dataclass(frozen=True)
class JobStatus:
    """State of a job."""

    status: str = "queued"
    """``queued``, ``running``, ``succeeded``, ``failed`` or ``cancelled``."""

    error: str | None = None
    """Reason of a failure."""

    trained_tokens: int | None = None
    """Tokens of the examples, of all passes together."""

    @property
    def is_final(self) -> bool:
        """Whether the job has ended."""
        return self.status in FINAL_STATUSES

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a status; raise ``ValueError`` if the text is none."""
        try:
            return cls(**json.loads(text))
        except TypeError as error:
            raise ValueError(f"not the status of a job: {error}") from error


class JobFolder:
    """The folder of one job.

    Only the process that holds the lock changes it, apart from the request and the wish to cancel
    the job, which come from the experiment.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = FileLock(path / "lock")
        self.model = path / MODEL_FOLDER
        self.optimizer = path / OPTIMIZER_FOLDER
        self.checkpoints = path / "checkpoints"
        self.events_file = path / "events.jsonl"
        self.output_file = path / "output.log"

    @property
    def exists(self) -> bool:
        """Whether the job was created."""
        return (self.path / "request.json").is_file()

    def create(self, request: TrainingRequest) -> None:
        """Create the job: it exists as soon as its request is written."""
        self.path.mkdir(exist_ok=True)
        self._write("request.json", asdict(request))

    def request(self) -> TrainingRequest:
        """Return what the job trains."""
        return TrainingRequest(**json.loads(read_text(self.path / "request.json")))

    @property
    def status(self) -> JobStatus:
        """State of the job; setting it replaces the file atomically."""
        try:
            return JobStatus.from_json(read_text(self.path / "status.json"))
        except FileNotFoundError:
            return JobStatus()

    @status.setter
    def status(self, status: JobStatus) -> None:
        self._write("status.json", asdict(status))

    def cancel(self) -> None:
        """Ask the worker to cancel the job."""
        write_atomically(self.path / "cancel", b"")

    @property
    def is_cancelled(self) -> bool:
        """Whether the job is to be cancelled."""
        return (self.path / "cancel").exists()

    @property
    def deaths(self) -> list[int]:
        """Steps that had been stored when a process of the job died without giving a reason."""
        with suppress(FileNotFoundError):
            return list(json.loads(read_text(self.path / "deaths.json")))
        return []

    @deaths.setter
    def deaths(self, steps: list[int]) -> None:
        self._write("deaths.json", steps)

    def events(self) -> list[dict[str, Any]]:
        """Return the events of the job so far, oldest first."""
        try:
            lines = read_text(self.events_file).splitlines()
        except FileNotFoundError:
            return []
        events = []
        for line in lines:
            # The last line may be incomplete while it is written.
            with suppress(ValueError):
                events.append(json.loads(line))
        return events

    def output_tail(self) -> str:
        """Return the end of what the process of the job has written to its standard error."""
        with suppress(FileNotFoundError):
            return self.output_file.read_bytes()[-_OUTPUT_TAIL_BYTES:].decode(errors="replace")
        return ""

    def forget_progress(self) -> None:
        """Delete the checkpoints of a job that has ended."""
        shutil.rmtree(self.checkpoints, ignore_errors=True)

    def _write(self, name: str, content: Any) -> None:
        write_atomically(self.path / name, json.dumps(content))


def forget_earlier_states(job: JobFolder) -> None:
    """Delete the optimizer states that a job with a new model makes useless.

    The next job of its group of agents starts from the new model, or from the base model, never
    from that of an earlier job in this folder. Other groups and other runs keep theirs.
    """
    group = job.request().group
    for path in sorted(job.path.parent.glob("*/request.json")):
        other = JobFolder(path.parent)
        if group is None or other.path == job.path or other.request().group != group:
            continue
        shutil.rmtree(other.optimizer, ignore_errors=True)
        if other.status.is_final:
            # Left behind by a job that was killed after its final status.
            other.forget_progress()


def unfinished_jobs(folder: Path) -> list[JobFolder]:
    """Return the jobs in a folder of jobs that have not ended, in the order of their keys."""
    jobs = (JobFolder(path.parent) for path in sorted(folder.glob("*/request.json")))
    return [job for job in jobs if not job.status.is_final]
