"""The record of one fine-tuning job, and its status transitions."""

from dataclasses import dataclass, field
from typing import Any

FINAL_STATUSES = ("succeeded", "failed", "cancelled")
ORGANIZATION = "nip"
NUM_PAUSED_POLLS = 3
"""Number of status requests after which a job with the fault ``job_paused`` resumes."""


@dataclass
class JobRecord:
    """A fine-tuning job. Stored as JSON: the field names are part of the state file's format."""

    number: int
    """Number of the job, from 1."""

    request: dict[str, Any]
    """The parsed request, with defaults for hyper-parameters that the client left out."""

    created_at: float
    """Creation time in seconds since 1970."""

    fine_tuned_model: str
    """Name of the model that the job creates."""

    trained_tokens: int
    """Tokens billed when the job succeeds."""

    num_steps: int
    """Number of optimizer steps."""

    num_polls: int
    """Number of status requests after which the job finishes."""

    num_seconds: float
    """Minimum duration in seconds."""

    fate: str = "succeeded"
    """Final status; ``paused`` for a job that pauses half-way and then succeeds."""

    error: dict[str, Any] | None = None
    """The error object of a job that fails."""

    status: str = "validating_files"
    """Current status."""

    polls: int = 0
    """Status requests received while the job was not paused."""

    paused_polls: int = 0
    """Status requests received while the job was paused."""

    is_held: bool = False
    """Whether a client paused the job, so that only a client can resume it."""

    finished_at: float | None = None
    """End time in seconds since 1970."""

    events: list[dict[str, Any]] = field(default_factory=list)
    """Events, oldest first."""

    @property
    def id(self) -> str:
        """ID of the job in the API."""
        return f"ftjob-{self.number:08d}"

    @property
    def is_over(self) -> bool:
        """Whether the status is final."""
        return self.status in FINAL_STATUSES

    def poll(self) -> None:
        """Count a status request."""
        if self.status == "paused":
            self.paused_polls += 1
        elif not self.is_over:
            self.polls += 1

    def next_status(self, now: float) -> str:
        """Return the status that is due at a time, in seconds since 1970."""
        if self.is_over or self.is_held:
            return self.status
        if self.status == "paused" and self.paused_polls <= NUM_PAUSED_POLLS:
            return self.status
        progress = self._progress(now)
        if self.fate == "paused" and not self.paused_polls and progress >= 0.5:
            return "paused"
        if progress >= 1:
            return "succeeded" if self.fate == "paused" else self.fate
        if progress <= 0:
            return "validating_files"
        return "queued" if progress < 0.5 else "running"

    def _progress(self, now: float) -> float:
        """Return the completed share; 1 or more means finished.

        A job must have received its number of status requests and reached its duration, hence the
        minimum of both shares.
        """
        polled = self.polls / self.num_polls if self.num_polls else 1.0
        elapsed = (now - self.created_at) / self.num_seconds if self.num_seconds else 1.0
        return min(polled, elapsed)

    def enter(self, status: str, now: float) -> None:
        """Change the status, and add an event."""
        self.status = status
        if self.is_over:
            self.finished_at = now
        level = "error" if status == "failed" else "info"
        self.note(f"The job is now {status}.", now, level=level)

    def note(self, message: str, now: float, *, level: str = "info", data: Any = None) -> None:
        """Add an event; one with ``data`` has the type ``metrics``."""
        self.events.append(
            {
                "object": "fine_tuning.job.event",
                "id": f"ftevent-{self.number:08d}-{len(self.events) + 1:04d}",
                "created_at": int(now),
                "level": level,
                "message": message,
                "data": data,
                "type": "message" if data is None else "metrics",
            }
        )

    def final_checkpoint(self) -> dict[str, Any]:
        """Return the checkpoint object of the API for the final model."""
        return {
            "object": "fine_tuning.job.checkpoint",
            "id": f"ftckpt-{self.number:08d}",
            "created_at": int(self.finished_at or self.created_at),
            "fine_tuned_model_checkpoint": self.fine_tuned_model,
            "fine_tuning_job_id": self.id,
            "metrics": {"step": self.num_steps},
            "step_number": self.num_steps,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the job object of the API."""
        request, has_succeeded = self.request, self.status == "succeeded"
        method = request["method"]
        return {
            "object": "fine_tuning.job",
            "id": self.id,
            "model": request["model"],
            "created_at": int(self.created_at),
            "finished_at": None if self.finished_at is None else int(self.finished_at),
            "estimated_finish": None,
            "fine_tuned_model": self.fine_tuned_model if has_succeeded else None,
            "organization_id": ORGANIZATION,
            "result_files": [],
            "status": self.status,
            "validation_file": request["validation_file"],
            "training_file": request["training_file"],
            "hyperparameters": method[method["type"]]["hyperparameters"],
            "method": method,
            "trained_tokens": self.trained_tokens if has_succeeded else None,
            "error": self.error if self.status == "failed" else None,
            "seed": request["seed"],
            "user_provided_suffix": request["suffix"],
            "integrations": [],
            "metadata": request["metadata"],
        }
