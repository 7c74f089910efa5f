"""One fine-tuning job, and how it advances."""

from dataclasses import dataclass, field
from typing import Any

FINAL_STATUSES = ("succeeded", "failed", "cancelled")
ORGANIZATION = "nip"
NUM_PAUSED_POLLS = 3
"""How often a job that pauses by itself must be asked for until it goes on."""


@dataclass
class JobRecord:
    """A fine-tuning job."""

    number: int
    """Counts the jobs from 1."""

    request: dict[str, Any]
    """What the client asked for, with the hyper-parameters that were chosen for it."""

    created_at: float
    """Time of making in seconds since 1970."""

    fine_tuned_model: str
    """Name of the model that it makes."""

    trained_tokens: int
    """Tokens that are paid for when it succeeds."""

    num_steps: int
    """Optimizer steps that it takes."""

    num_polls: int
    """How often it must be asked for until it is done."""

    num_seconds: float
    """Seconds that it takes at least."""

    fate: str = "succeeded"
    """How it will end: a final status, or ``paused`` for one that pauses on its way to success."""

    error: dict[str, Any] | None = None
    """What is wrong when it fails."""

    status: str = "validating_files"
    """What clients see."""

    polls: int = 0
    """How often it was asked for while it was not paused."""

    paused_polls: int = 0
    """How often it was asked for while it was paused."""

    is_held: bool = False
    """Whether a client paused it, so that only a client lets it go on."""

    finished_at: float | None = None
    """Time of the end in seconds since 1970."""

    events: list[dict[str, Any]] = field(default_factory=list)
    """What happened, the oldest first."""

    @property
    def id(self) -> str:
        """The name by which clients refer to it."""
        return f"ftjob-{self.number:08d}"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status in FINAL_STATUSES

    def poll(self) -> None:
        """Note that a client asked for it."""
        if self.status == "paused":
            self.paused_polls += 1
        elif not self.is_over:
            self.polls += 1

    def next_status(self, now: float) -> str:
        """Say what the status is to be at a time, in seconds since 1970."""
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
        """Return the share that is done: at least 1 when it is over."""
        polled = self.polls / self.num_polls if self.num_polls else 1.0
        elapsed = (now - self.created_at) / self.num_seconds if self.num_seconds else 1.0
        return min(polled, elapsed)

    def enter(self, status: str, now: float) -> None:
        """Change the status, and note it among the events."""
        self.status = status
        if self.is_over:
            self.finished_at = now
        level = "error" if status == "failed" else "info"
        self.note(f"The job is now {status}.", now, level=level)

    def note(self, message: str, now: float, *, level: str = "info", data: Any = None) -> None:
        """Add an event; one with data is a measurement."""
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
        """Return what clients get to see of the last state of the model."""
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
        """Return what clients get to see."""
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
