"""What the endpoint tells about itself, and how its faults are switched while it runs."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from nip.errors import NipError
from nip.language_models.server.endpoint import Endpoint
from nip.language_models.server.errors import invalid
from nip.language_models.server.faults import fault_registry, read_fault_plan
from nip.language_models.server.json_body import read_json_object


async def get_counters(request: Request) -> Response:
    """Answer ``GET /admin/counters``."""
    endpoint: Endpoint = request.app.state.endpoint
    return JSONResponse(endpoint.counters().to_dict())


async def get_faults(request: Request) -> Response:
    """Answer ``GET /admin/faults``."""
    endpoint: Endpoint = request.app.state.endpoint
    rules = [rule.to_text() for rule in endpoint.faults.rules]
    return JSONResponse({"faults": rules, "known": fault_registry.names()})


async def set_faults(request: Request) -> Response:
    """Answer ``POST /admin/faults`` with ``{"faults": [...], "fault_rate": 0.2, "seed": 0}``."""
    endpoint: Endpoint = request.app.state.endpoint
    body = await read_json_object(request)
    names = body.get("faults")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise invalid("faults", f"faults must be a list of names, got {names!r}.")
    rate = body.get("fault_rate", endpoint.options.fault_rate)
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
        raise invalid("fault_rate", f"fault_rate must lie within 0 and 1, got {rate!r}.")
    seed = body.get("seed", endpoint.options.seed)
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise invalid("seed", f"seed must be a whole number, got {seed!r}.")
    try:
        endpoint.faults = read_fault_plan(names, rate, seed)
    except NipError as error:
        raise invalid("faults", str(error)) from error
    return await get_faults(request)
