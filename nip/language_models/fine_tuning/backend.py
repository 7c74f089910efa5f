"""Base class of fine-tuning backends."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from nip.language_models.chat import ModelSpec
from nip.language_models.provider_registry import ConnectionContext

FineTuningMethod = Literal["supervised", "dpo", "policy_gradient"]
RemoteStatus = Literal[
    "validating_files", "queued", "running", "paused", "succeeded", "failed", "cancelled"
]


@dataclass(frozen=True)
class PolicyGradientOptions:
    """What a job with the method ``policy_gradient`` needs to know beyond its dataset."""

    clip_epsilon: float
    """Clipping range ε of the ratio of a token's new to its old probability."""

    kl_coefficient: float = 0.0
    """Weight β of the KL penalty towards the reference model."""

    reference_model: str | None = None
    """Name of the reference model; None: the model that training starts from."""

    earlier_models: tuple[str, ...] = ()
    """Names of further models that have written responses of the dataset."""


@dataclass(frozen=True)
class JobRequest:
    """Parameters of a job to create."""

    key: str
    """Idempotency key, by which an existing job is found at the service."""

    base_model: str
    """Name of the model that training starts from."""

    training_file_id: str
    """ID of the uploaded dataset at the service."""

    method: FineTuningMethod
    """Imitation of examples, preference optimisation, or policy gradients."""

    suffix: str
    """Part of the name of the new model, at most 64 characters; ends with a part of the key."""

    seed: int
    """Seed of the training, below 2^31."""

    n_epochs: int | None = None
    """Passes over the examples; None: the service chooses."""

    batch_size: int | None = None
    """Examples per update; None: the service chooses."""

    learning_rate_multiplier: float | None = None
    """Factor on the service's learning rate; None: the service chooses."""

    beta: float | None = None
    """DPO only: weight of the KL penalty towards the base model; None: the service chooses."""

    policy_gradient: Mapping[str, Any] | None = None
    """Fields of ``PolicyGradientOptions``; None with other methods."""

    metadata: Mapping[str, str] = field(default_factory=dict)
    """At most 16 entries (keys of 64, values of 512 characters), including the key of the job."""

    options: Mapping[str, Any] = field(default_factory=dict)
    """Values of the backend's own hyper-parameters, those of its ``parameter_group``."""

    @property
    def hyper_params(self) -> dict[str, int | float]:
        """Hyper-parameters that are not chosen by the service."""
        names = ("n_epochs", "batch_size", "learning_rate_multiplier", "beta")
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class RemoteJob:
    """State of a job at the service."""

    id: str
    """ID at the service."""

    status: RemoteStatus | str
    """Status. Unknown values are treated as running."""

    model: str | None = None
    """Name of the new model, if the job has finished."""

    trained_tokens: int | None = None
    """Billed tokens, of all epochs together."""

    error: str | None = None
    """Reason of a failure."""


class FineTuningBackend(ABC):
    """A service with training files and fine-tuning jobs.

    All methods raise a ``LanguageModelError`` if a call fails. With the policy ``RETRY`` it is
    unknown whether the service executed the call, so the caller searches for the result before it
    repeats the call; all other policies mean that the call had no effect. Methods must not retry
    calls that create something.

    Parameters
    ----------
    model : ModelSpec
        Model to fine-tune, with base URL and API key variable of the service.
    context : ConnectionContext
        Connection settings.
    """

    name: ClassVar[str]
    """Registered name; set by ``register_fine_tuning_backend``."""

    min_examples: ClassVar[int] = 1
    """Minimum number of examples in a dataset."""

    methods: ClassVar[tuple[FineTuningMethod, ...]] = ("supervised", "dpo")
    """Methods of fine-tuning that the service has."""

    is_free: bool = False
    """Whether jobs cost nothing, regardless of the name of the model; true for the mock API."""

    max_file_bytes: ClassVar[int | None] = None
    """Maximum size of a dataset in bytes; None: no limit."""

    poll_s: ClassVar[float | None] = None
    """First interval in seconds between requests for the status of a job; None: a setting."""

    parameter_group: ClassVar[str | None] = None
    """Name of the backend's own group of hyper-parameters; None if it has none."""

    mocked_by: ClassVar[str | None] = None
    """Name of the backend that trains models of a rehearsal instead; None: this one does."""

    @abstractmethod
    def __init__(self, model: ModelSpec, context: ConnectionContext) -> None: ...

    @classmethod
    @abstractmethod
    def check_access(cls, model: ModelSpec, context: ConnectionContext) -> None:
        """Check base URL and API key, without sending a request.

        Raises
        ------
        ParameterError
            If calls would certainly fail; the message says what to change.
        """

    @abstractmethod
    async def upload(self, content: bytes, name: str) -> str:
        """Upload a dataset in JSON lines, and return its file ID."""

    @abstractmethod
    async def find_file(self, name: str) -> str | None:
        """Return the ID of an uploaded file with a name; None if there is none."""

    @abstractmethod
    async def create_job(self, request: JobRequest) -> RemoteJob:
        """Create a job; it starts automatically."""

    @abstractmethod
    async def find_job(self, key: str) -> RemoteJob | None:
        """Return the job that was created with a key; None if there is none."""

    @abstractmethod
    async def get_job(self, job_id: str) -> RemoteJob:
        """Return the current state of a job."""

    @abstractmethod
    async def cancel_job(self, job_id: str) -> RemoteJob:
        """Cancel a job; for a finished job, return its state or raise a ``BadRequestError``."""

    @abstractmethod
    async def list_events(self, job_id: str) -> list[dict[str, Any]]:
        """Return the events of a job, including metrics, as plain data, oldest first."""

    async def aclose(self) -> None:  # noqa: B027 - not every backend has something to close
        """Close connections."""
