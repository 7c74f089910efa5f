"""The routes under ``/v1/fine_tuning/jobs``, and parsing of job requests."""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from nip.language_models.server.endpoint import Endpoint
from nip.language_models.server.errors import (
    ApiError,
    CutResponse,
    invalid,
    server_error,
    unknown_model,
)
from nip.language_models.server.job_record import JobRecord
from nip.language_models.server.job_worker import JobWorker
from nip.language_models.server.json_io import page_of, read_json_object
from nip.language_models.server.model_names import identity_of, is_fine_tuned

MAX_SUFFIX = 64
MAX_METADATA = 16
MAX_METADATA_KEY = 64
MAX_METADATA_VALUE = 512
MAX_HYPER_PARAMETER = 10_000
METHODS = ("supervised", "dpo", "policy_gradient")
"""Those of OpenAI, and that of local jobs, which a rehearsal trains here instead."""
JOB_FIELDS = (
    "hyperparameters",
    "metadata",
    "method",
    "model",
    "seed",
    "suffix",
    "training_file",
    "validation_file",
)
DEFAULTS: dict[str, Any] = {
    "n_epochs": 3,
    "batch_size": 1,
    "learning_rate_multiplier": 1.0,
    "beta": 0.1,
}
"""Values for hyper-parameters that are missing or ``"auto"``."""


def read_job_request(body: dict[str, Any]) -> dict[str, Any]:
    """Validate a job request and fill in all fields and hyper-parameters, or raise ``ApiError``."""
    for name, value in body.items():
        if name not in JOB_FIELDS and value not in (None, []):
            raise ApiError(
                400,
                f"Unrecognized request argument supplied: {name}.",
                code="unknown_parameter",
                param=name,
            )
    for name in ("model", "training_file"):
        if not isinstance(body.get(name), str) or not body[name]:
            raise ApiError(400, f"You must provide a {name} parameter.", param=name)
    validation_file = body.get("validation_file")
    if validation_file is not None and not isinstance(validation_file, str):
        raise invalid("validation_file", "validation_file must be the ID of a file.")
    suffix = body.get("suffix")
    if suffix is not None and (not isinstance(suffix, str) or len(suffix) > MAX_SUFFIX):
        raise invalid("suffix", f"suffix must be a string of at most {MAX_SUFFIX} characters.")
    seed = body.get("seed")
    if seed is not None and (type(seed) is not int or not 0 <= seed < 2**31):
        raise invalid("seed", f"seed must be an integer from 0 to 2^31 - 1, got {seed!r}.")
    return {
        "model": body["model"],
        "training_file": body["training_file"],
        "validation_file": validation_file,
        "suffix": suffix,
        "seed": 0 if seed is None else seed,
        "metadata": _read_metadata(body.get("metadata")),
        "method": _read_method(body),
    }


def _read_metadata(value: Any) -> dict[str, str] | None:
    if value is None:
        return None
    is_map = isinstance(value, dict) and len(value) <= MAX_METADATA
    if not is_map or not all(
        len(key) <= MAX_METADATA_KEY and isinstance(text, str) and len(text) <= MAX_METADATA_VALUE
        for key, text in value.items()
    ):
        raise invalid(
            "metadata",
            f"metadata must have at most {MAX_METADATA} entries, with keys of at most "
            f"{MAX_METADATA_KEY} and string values of at most {MAX_METADATA_VALUE} characters.",
        )
    return dict(value)


def _read_method(body: dict[str, Any]) -> dict[str, Any]:
    method = body.get("method") or {"type": "supervised"}
    kind = method.get("type") if isinstance(method, dict) else None
    if kind not in METHODS:
        raise invalid("method", f"method.type must be one of {', '.join(METHODS)}, got {kind!r}.")
    # Older clients send the hyper-parameters at the top level, not inside the method.
    given = {**_read_object(body, "hyperparameters")}
    given |= _read_object(_read_object(method, kind), "hyperparameters")
    names = [name for name in DEFAULTS if name != "beta" or kind == "dpo"]
    for name in given:
        if name not in names:
            raise invalid("method", f"{kind} has no hyper-parameter {name!r}.")
    chosen = {name: _read_hyper_parameter(name, given.get(name)) for name in names}
    return {"type": kind, kind: {"hyperparameters": chosen}}


def _read_object(tree: dict[str, Any], name: str) -> dict[str, Any]:
    value = tree.get(name) or {}
    if not isinstance(value, dict):
        raise invalid(name, f"{name} must be an object, got {value!r}.")
    return value


def _read_hyper_parameter(name: str, value: Any) -> Any:
    default = DEFAULTS[name]
    if value is None or value == "auto":
        return default
    allowed = int if isinstance(default, int) else int | float
    is_number = isinstance(value, allowed) and not isinstance(value, bool)
    if not is_number or not 0 < value <= MAX_HYPER_PARAMETER:
        kind = "an integer" if allowed is int else "a number"
        raise invalid(
            name,
            f"{name} must be {kind} above 0 and at most {MAX_HYPER_PARAMETER}, or 'auto', got "
            f"{value!r}.",
        )
    return value


async def create_job(request: Request) -> Response:
    """Handle ``POST /v1/fine_tuning/jobs``."""
    endpoint: Endpoint = request.app.state.endpoint
    job_request = read_job_request(await read_json_object(request))
    file = endpoint.state.files.get(job_request["training_file"])
    if file is None:
        raise invalid("training_file", f"File '{job_request['training_file']}' does not exist.")
    if file.purpose != "fine-tune":
        raise invalid(
            "training_file",
            f"The purpose of file '{file.id}' is {file.purpose!r}, not 'fine-tune'.",
        )
    if is_fine_tuned(job_request["model"]) and job_request["model"] not in endpoint.state.models:
        raise unknown_model(job_request["model"])
    # Faults must not depend on the order of uploads, which IDs of files do, nor on identifiers of
    # the client, which are in metadata, suffix and names of fine-tuned models.
    identity = {
        **job_request,
        "model": identity_of(job_request["model"]),
        "training_file": file.sha256,
        "suffix": None,
        "metadata": None,
    }
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).digest()
    fault = endpoint.choose_fault("create_job", digest, job_request["model"])
    name = None if fault is None else fault.name

    def create() -> Response:
        job = JobWorker(endpoint).open(job_request, file, name)
        response = JSONResponse(job.to_dict())
        if name != "create_lost":
            return response
        # The job exists, but the client gets an error: a status of 500 or a cut connection.
        if digest[0] % 2:
            raise server_error()
        return CutResponse(response)

    return await endpoint.respond(fault, create, job_request["model"])


async def list_jobs(request: Request) -> Response:
    """Handle ``GET /v1/fine_tuning/jobs``; newest first, filtered by ``metadata[name]=value``."""
    endpoint: Endpoint = request.app.state.endpoint
    query = request.query_params
    filters = {
        key[len("metadata[") : -1]: value
        for key, value in query.items()
        if key.startswith("metadata[") and key.endswith("]")
    }

    def matches(job: JobRecord) -> bool:
        metadata = job.request["metadata"]
        if query.get("metadata") == "null" and metadata is not None:
            return False
        return all((metadata or {}).get(key) == value for key, value in filters.items())

    def list_matching() -> Response:
        worker = JobWorker(endpoint)
        jobs = [worker.advance(job) for job in endpoint.state.jobs.all() if matches(job)]
        return page_of(
            jobs[::-1],
            query,
            default_limit=20,
            max_limit=100,
            id_of=lambda job: job.id,
            show=JobRecord.to_dict,
        )

    return await endpoint.respond_to_read(request, list_matching)


async def get_job(request: Request) -> Response:
    """Handle ``GET /v1/fine_tuning/jobs/ID``, which also advances the job."""
    return await _apply_to_job(request, JobWorker.poll)


async def cancel_job(request: Request) -> Response:
    """Handle ``POST /v1/fine_tuning/jobs/ID/cancel``."""
    return await _apply_to_job(request, JobWorker.cancel)


async def pause_job(request: Request) -> Response:
    """Handle ``POST /v1/fine_tuning/jobs/ID/pause``."""
    return await _apply_to_job(request, JobWorker.pause)


async def resume_job(request: Request) -> Response:
    """Handle ``POST /v1/fine_tuning/jobs/ID/resume``."""
    return await _apply_to_job(request, JobWorker.resume)


async def list_events(request: Request) -> Response:
    """Handle ``GET /v1/fine_tuning/jobs/ID/events``; newest first."""
    return await _list_of_job(request, lambda job: job.events[::-1], default_limit=20)


async def list_checkpoints(request: Request) -> Response:
    """Handle ``GET /v1/fine_tuning/jobs/ID/checkpoints``; one, after the job has succeeded."""
    return await _list_of_job(
        request,
        lambda job: [job.final_checkpoint()] if job.status == "succeeded" else [],
        default_limit=10,
    )


async def _apply_to_job(
    request: Request, act: Callable[[JobWorker, JobRecord], JobRecord]
) -> Response:
    endpoint: Endpoint = request.app.state.endpoint
    return await endpoint.respond_to_read(
        request, lambda: JSONResponse(act(JobWorker(endpoint), _find(request)).to_dict())
    )


async def _list_of_job(
    request: Request,
    list_items: Callable[[JobRecord], Sequence[dict[str, Any]]],
    default_limit: int,
) -> Response:
    endpoint: Endpoint = request.app.state.endpoint

    def list_page() -> Response:
        return page_of(
            list_items(_find(request)),
            request.query_params,
            default_limit=default_limit,
            max_limit=100,
            id_of=lambda item: str(item["id"]),
            show=lambda item: item,
        )

    return await endpoint.respond_to_read(request, list_page)


def _find(request: Request) -> JobRecord:
    endpoint: Endpoint = request.app.state.endpoint
    job_id = request.path_params["job_id"]
    job = endpoint.state.jobs.get(job_id)
    if job is None:
        raise ApiError(404, f"Could not find fine tune: {job_id}", param="fine_tune_id")
    return job
