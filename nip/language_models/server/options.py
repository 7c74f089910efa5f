"""How an endpoint behaves."""

from dataclasses import dataclass

from nip.errors import ParameterError

COUNTS = ("job_polls",)
SECONDS = ("latency_s", "job_seconds", "retry_after_s", "stall_s")


@dataclass(frozen=True)
class EndpointOptions:
    """How an endpoint behaves.

    Raises
    ------
    ParameterError
        If a number is out of its range.
    """

    brain: str = "dialogue"
    """What answers: ``dialogue``, ``echo``, ``local``, or a brain of your own."""

    brain_file: str | None = None
    """What the brain is made from: rules (``dialogue``), or a model folder (``local``)."""

    latency_s: float = 0.0
    """Seconds that each answer takes."""

    job_polls: int = 2
    """How often a fine-tuning job must be asked for until it is done."""

    job_seconds: float = 0.0
    """Seconds that a fine-tuning job takes at least."""

    faults: tuple[str, ...] = ()
    """Faults to show: names, or names with selectors, such as ``rate_limit?rate=0.5&first=10``."""

    fault_rate: float = 0.2
    """Share of requests that meet each fault that names no rate of its own."""

    seed: int = 0
    """Decides which requests meet a fault."""

    state_path: str | None = None
    """SQLite file in which everything is kept; None: only in memory."""

    api_key_variable: str | None = None
    """Environment variable with the only key that is accepted; None: any key, or none, will do."""

    retry_after_s: float = 0.05
    """Seconds after which a client that was told to slow down is to come back."""

    stall_s: float = 0.05
    """Seconds for which a request that meets the fault ``timeout`` hangs before it is dropped."""

    def __post_init__(self) -> None:
        for name in (*COUNTS, *SECONDS):
            value = getattr(self, name)
            if not 0 <= value < float("inf"):
                raise ParameterError(f"{name} must be a finite number from 0 up, got {value!r}.")
        if not 0 <= self.fault_rate <= 1:
            raise ParameterError(f"fault_rate must lie within 0 and 1, got {self.fault_rate!r}.")
