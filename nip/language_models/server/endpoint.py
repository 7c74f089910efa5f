"""Options, state and request handling that all routes of the mock API share."""

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from nip.errors import ParameterError, shown
from nip.language_models.server.adapter_table import AdapterTable
from nip.language_models.server.errors import (
    CutResponse,
    StalledResponse,
    mangled,
    refusal,
    unknown_model,
    wrong_key,
)
from nip.language_models.server.faults import Fault, FaultPlan, RequestKind, read_fault_plan
from nip.language_models.server.mock_models.registry import build_mock_model
from nip.language_models.server.model_names import is_fine_tuned
from nip.language_models.server.rate_limits import RateLimits
from nip.language_models.server.state import EndpointState
from nip.language_models.server.tables import Counters

SLOW_FACTOR = 10
"""Latency of a response with the fault ``slow``, in multiples of the usual latency."""

MIN_SLOW_S = 0.02
"""Minimum latency, in seconds, of a response with the fault ``slow``."""

_MAX_SECONDS = 1e9
_RANGES: dict[str, tuple[int, float]] = {
    **dict.fromkeys(("latency_s", "job_seconds", "retry_after_s", "stall_s"), (0, _MAX_SECONDS)),
    "job_polls": (0, 1e9),
    "requests_per_minute": (1, 1e15),
    "tokens_per_minute": (1, 1e15),
    "fault_rate": (0, 1),
}


@dataclass(frozen=True)
class EndpointOptions:
    """Behaviour of the mock API.

    Raises
    ------
    ParameterError
        If a number is out of range.
    """

    brain: str = "dialogue"
    """Name of the mock model: ``dialogue``, ``echo``, ``local``, or a registered one."""

    brain_file: str | None = None
    """File of the mock model: answer rules (``dialogue``), or a model folder (``local``)."""

    latency_s: float = 0.0
    """Seconds before each chat response."""

    job_polls: int = 2
    """Number of status requests after which a fine-tuning job finishes."""

    job_seconds: float = 0.0
    """Minimum duration of a fine-tuning job in seconds."""

    faults: tuple[str, ...] = ()
    """Faults to inject: names, or names with selectors, like ``rate_limit?rate=0.5&first=10``."""

    fault_rate: float = 0.2
    """Share of requests that get each fault without a ``rate`` selector."""

    seed: int = 0
    """Seed that selects the requests that get a fault."""

    state_path: str | None = None
    """SQLite file that stores the state; None keeps it in memory."""

    api_key_variable: str | None = None
    """Environment variable with the required API key; None accepts any key, or none."""

    retry_after_s: float = 0.05
    """Seconds in the ``Retry-After`` header of rate limit errors."""

    requests_per_minute: int = 1_000_000
    """Rate limit of chat requests, reported in the headers of responses."""

    tokens_per_minute: int = 1_000_000_000
    """Rate limit of the tokens of chat requests: prompts, and the limits of completions."""

    stall_s: float = 0.05
    """Seconds for which a request with the fault ``timeout`` hangs before it is dropped."""

    serves_adapters: bool = False
    """Whether the API has vLLM's routes for adapters, as with
    ``VLLM_ALLOW_RUNTIME_LORA_UPDATING=1``."""

    served_models: tuple[str, ...] = ()
    """Names of the models that the API has, beside fine-tuned ones and adapters; others are
    refused. None: any name."""

    admin_hosts: tuple[str, ...] | None = None
    """Host names that requests of the admin interface may have, besides ``localhost`` and
    addresses; None accepts any, for an application that no network reaches."""

    is_local: bool = False
    """Whether only this machine can reach the server. Requests of all routes must then have a host
    as those of the admin interface, so that web pages cannot read them by DNS rebinding."""

    def __post_init__(self) -> None:
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if not least <= value <= most:
                raise ParameterError(
                    f"{name} must be a number from {least} to {most:g}, got {shown(value)}."
                )
        if self.state_path == "":
            raise ParameterError(
                "state_path must name a file, got ''. Leave it out to keep the state in memory."
            )


class Endpoint:
    """The mock API behind the routes: options, stored state, mock model and fault plan."""

    def __init__(self, options: EndpointOptions) -> None:
        self.options = options
        self._key = _read_key(options.api_key_variable)
        self.faults: FaultPlan = read_fault_plan(options.faults, options.fault_rate, options.seed)
        self.mock_model = build_mock_model(options.brain, options.brain_file)
        self.state = EndpointState(options.state_path)
        self.adapters = AdapterTable()
        self.rate_limits = RateLimits(options.requests_per_minute, options.tokens_per_minute)

    def counters(self) -> Counters:
        """Return the request counters."""
        return self.state.counters.read(len(self.state.jobs))

    def close(self) -> None:
        """Close the state file. A mock model with open resources needs ``aclose`` instead."""
        self.state.close()

    async def aclose(self) -> None:
        """Close the mock model and the state file."""
        await self.mock_model.aclose()
        self.close()

    def has_model(self, name: str) -> bool:
        """Return whether requests may name a model."""
        if self.adapters.get(name) is not None or name in self.state.models:
            return True
        served = self.options.served_models
        return name in served if served else not is_fine_tuned(name)

    def check_key(self, request: Request) -> None:
        """Raise ``ApiError`` if the API key of a request is required and missing or different."""
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self._key is not None and given != self._key:
            raise wrong_key()

    def choose_fault(
        self, kind: RequestKind, digest: bytes, model: str | None = None
    ) -> Fault | None:
        """Count a request, and return the fault to inject into its response, if any."""
        num_before = self.state.counters.count_request(digest)
        return self.faults.choose(kind, digest, num_before, model, self.state.counters)

    async def respond(
        self,
        fault: Fault | None,
        work: Callable[[], Awaitable[Response] | Response],
        model: str | None = None,
    ) -> Response:
        """Process a request with ``work``, and inject a fault before or after it."""
        name = None if fault is None else fault.name
        if (refused := refusal(name or "", self.options.retry_after_s)) is not None:
            refused.headers = self.rate_limits.headers() | refused.headers
            raise refused
        if name == "unknown_model":
            raise unknown_model(model or "")
        if name == "timeout":
            return StalledResponse(self.options.stall_s)
        if name == "slow":
            await asyncio.sleep(max(MIN_SLOW_S, SLOW_FACTOR * self.options.latency_s))
        response = work()
        response = response if isinstance(response, Response) else await response
        if name == "cut_connection":
            return CutResponse(response)
        return mangled(response) if name == "malformed_json" else response

    async def respond_to_read(self, request: Request, work: Callable[[], Response]) -> Response:
        """Process a request without a body, identified by its method and URL."""
        # Starlette's URL cannot hold a query that is no UTF-8.
        query = request.scope["query_string"].decode("latin-1")
        url = f"{request.method} {request.scope['path']}?{query}"
        fault = self.choose_fault("read", hashlib.sha256(url.encode()).digest())
        return await self.respond(fault, work)


def _read_key(variable: str | None) -> str | None:
    if variable is None:
        return None
    if not (key := os.environ.get(variable)):
        raise ParameterError(
            f"api_key_variable={variable!r} names an environment variable that is not set. Set it "
            "to the key that clients must send, or leave out api_key_variable."
        )
    return key
