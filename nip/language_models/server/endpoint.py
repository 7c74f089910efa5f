"""What all requests have in common: the key, the faults, the counts."""

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from nip.errors import ParameterError
from nip.language_models.server.broken_responses import CutResponse, StalledResponse, mangled
from nip.language_models.server.counters import Counters
from nip.language_models.server.errors import unknown_model
from nip.language_models.server.faults import Fault, FaultPlan, RequestKind, read_fault_plan
from nip.language_models.server.mock_models.registry import build_mock_model
from nip.language_models.server.options import EndpointOptions
from nip.language_models.server.refusals import refusal, wrong_key
from nip.language_models.server.state import EndpointState

SLOW_FACTOR = 10
"""How many times the usual latency a slow answer takes."""

SLOW_LEAST_S = 0.02
"""Seconds that a slow answer takes at least."""


class Endpoint:
    """One endpoint: its options, what it remembers, what answers, and what goes wrong.

    Parameters
    ----------
    options : EndpointOptions
        How it behaves.

    Raises
    ------
    ParameterError, UnknownNameError
        If an option cannot be used.
    """

    def __init__(self, options: EndpointOptions) -> None:
        self.options = options
        self._key = _read_key(options.api_key_variable)
        self.faults: FaultPlan = read_fault_plan(options.faults, options.fault_rate, options.seed)
        self.brain = build_mock_model(options.brain, options.brain_file)
        self.state = EndpointState(options.state_path)

    def counters(self) -> Counters:
        """Say what was done so far."""
        return self.state.counters.read(len(self.state.jobs))

    def close(self) -> None:
        """Close the file of the state. A brain that holds something open needs ``aclose``."""
        self.state.close()

    async def aclose(self) -> None:
        """Close all that is open."""
        await self.brain.aclose()
        self.close()

    def check_key(self, request: Request) -> None:
        """Refuse a request without the right key.

        Raises
        ------
        ApiError
            If the key is missing or wrong.
        """
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self._key is not None and given != self._key:
            raise wrong_key()

    def meet(self, kind: RequestKind, digest: bytes, model: str | None = None) -> Fault | None:
        """Count a request, and say which fault it meets, if any."""
        num_before = self.state.counters.arrive(digest)
        return self.faults.choose(kind, digest, num_before, model, self.state.counters)

    async def answer(
        self,
        fault: Fault | None,
        work: Callable[[], Awaitable[Response] | Response],
        model: str | None = None,
    ) -> Response:
        """Do what was asked, unless a fault comes before; spoil the answer, if one comes after.

        Raises
        ------
        ApiError
            If the request is refused.
        """
        name = None if fault is None else fault.name
        if (refused := refusal(name or "", self.options.retry_after_s)) is not None:
            raise refused
        if name == "unknown_model":
            raise unknown_model(model or "")
        if name == "timeout":
            return StalledResponse(self.options.stall_s)
        if name == "slow":
            await asyncio.sleep(max(SLOW_LEAST_S, SLOW_FACTOR * self.options.latency_s))
        response = work()
        response = response if isinstance(response, Response) else await response
        if name == "cut_connection":
            return CutResponse(response)
        return mangled(response) if name == "malformed_json" else response


def read_digest(request: Request) -> bytes:
    """Return the fingerprint of a request without a body."""
    return hashlib.sha256(
        f"{request.method} {request.url.path}?{request.url.query}".encode()
    ).digest()


def _read_key(variable: str | None) -> str | None:
    if variable is None:
        return None
    if not (key := os.environ.get(variable)):
        raise ParameterError(
            f"The environment variable {variable!r} must hold the key that clients are to give, "
            "but it is not set. Set it, or leave out api_key_variable."
        )
    return key
