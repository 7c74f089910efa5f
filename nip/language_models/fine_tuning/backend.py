"""What a service that trains models must be able to do."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from nip.language_models.chat import ModelSpec
from nip.language_models.provider_registry import ConnectionContext

FineTuningMethod = Literal["supervised", "dpo"]
RemoteStatus = Literal[
    "validating_files", "queued", "running", "paused", "succeeded", "failed", "cancelled"
]


@dataclass(frozen=True)
class JobRequest:
    """A job to be made."""

    key: str
    """Name of the job in our books. A service that stores it finds the job again by it."""

    base_model: str
    """The model that training starts from."""

    training_file_id: str
    """What the service calls the uploaded dataset."""

    method: FineTuningMethod
    """Learn to say what the examples say, or to prefer one answer over another."""

    suffix: str
    """Part of the name of the new model, at most 64 characters; ends with a piece of the key."""

    seed: int
    """Seed of the training, below 2^31."""

    n_epochs: int | None = None
    """Passes over the examples; None: the service chooses."""

    batch_size: int | None = None
    """Examples per update; None: the service chooses."""

    learning_rate_multiplier: float | None = None
    """Factor on the service's learning rate; None: the service chooses."""

    beta: float | None = None
    """DPO only: how closely the model stays to the old one; None: the service chooses."""

    metadata: Mapping[str, str] = field(default_factory=dict)
    """At most 16 pairs of 64 and 512 characters, the key among them, for services that keep it."""

    @property
    def hyper_params(self) -> dict[str, int | float]:
        """What is not left to the service."""
        names = ("n_epochs", "batch_size", "learning_rate_multiplier", "beta")
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class RemoteJob:
    """A job as the service sees it."""

    id: str
    """What the service calls it."""

    status: RemoteStatus | str
    """How far it is. A status that is not known here counts as still running."""

    model: str | None = None
    """The new model, when there is one."""

    trained_tokens: int | None = None
    """Tokens that are charged for, all epochs together."""

    error: str | None = None
    """Why it failed."""


class FineTuningBackend(ABC):
    """A service that trains models, with files and jobs of its own.

    All methods raise a ``LanguageModelError`` when a call fails. Its ``policy`` matters: with
    ``RETRY`` nobody can know whether the service did what it was asked, and the caller looks before
    it asks again; the others say that nothing was done. So no method repeats a call by itself that
    makes something.

    Parameters
    ----------
    model : ModelSpec
        The model to be trained; says which service is meant and how to reach it.
    context : ConnectionContext
        What else reaching it takes.
    """

    name: ClassVar[str]
    """Registered name; set by ``register_fine_tuning_backend``."""

    min_examples: ClassVar[int] = 1
    """A smaller dataset is refused by the service."""

    is_free: bool = False
    """Whether its jobs cost nothing, whatever the models are called: in rehearsals, for example."""

    max_file_bytes: ClassVar[int | None] = None
    """A larger dataset is refused by the service."""

    @abstractmethod
    def __init__(self, model: ModelSpec, context: ConnectionContext) -> None: ...

    @classmethod
    @abstractmethod
    def check_access(cls, model: ModelSpec, context: ConnectionContext) -> None:
        """Tell what is missing before anything is sent.

        Raises
        ------
        ParameterError
            If the service certainly cannot be reached like this; the message names the way out.
        """

    @abstractmethod
    async def upload(self, content: bytes, name: str) -> str:
        """Upload a dataset in JSON lines and return what the service calls it."""

    @abstractmethod
    async def find_file(self, name: str) -> str | None:
        """Return what the service calls an uploaded dataset of this name; None if it has none."""

    @abstractmethod
    async def create_job(self, request: JobRequest) -> RemoteJob:
        """Make a job; it begins by itself."""

    @abstractmethod
    async def find_job(self, key: str) -> RemoteJob | None:
        """Return the job that was made with this key; None if there is none."""

    @abstractmethod
    async def get_job(self, job_id: str) -> RemoteJob:
        """Return a job as it is now."""

    @abstractmethod
    async def cancel_job(self, job_id: str) -> RemoteJob:
        """End a job; one that has ended is returned as it is, or refused."""

    @abstractmethod
    async def list_events(self, job_id: str) -> list[dict[str, Any]]:
        """Return what the service reports of a job, metrics too, as plain data, oldest first."""

    async def aclose(self) -> None:  # noqa: B027 - not every backend has something to close
        """Close connections."""
