"""Fine-tuning jobs: made, watched, stopped."""

import hashlib
import json
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from nip.language_models.server.broken_responses import CutResponse
from nip.language_models.server.endpoint import Endpoint, read_digest
from nip.language_models.server.errors import ApiError, invalid, unknown_model
from nip.language_models.server.job_record import JobRecord
from nip.language_models.server.job_request import read_job_request
from nip.language_models.server.job_worker import JobWorker
from nip.language_models.server.json_body import read_json_object
from nip.language_models.server.model_names import is_fine_tuned
from nip.language_models.server.pages import page_of
from nip.language_models.server.refusals import server_error


async def create_job(request: Request) -> Response:
    """Answer ``POST /v1/fine_tuning/jobs``."""
    endpoint: Endpoint = request.app.state.endpoint
    wanted = read_job_request(await read_json_object(request))
    file = endpoint.state.files.get(wanted["training_file"])
    if file is None:
        raise invalid("training_file", f"File '{wanted['training_file']}' does not exist.")
    if file.purpose != "fine-tune":
        raise invalid(
            "training_file",
            f"The purpose of file '{file.id}' is {file.purpose!r}, not 'fine-tune'.",
        )
    if is_fine_tuned(wanted["model"]) and wanted["model"] not in endpoint.state.models:
        raise unknown_model(wanted["model"])
    # Not the name of the file, which tells how many were uploaded before.
    identity = {**wanted, "training_file": file.sha256}
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).digest()
    fault = endpoint.meet("create_job", digest, wanted["model"])
    name = None if fault is None else fault.name

    def work() -> Response:
        job = JobWorker(endpoint).open(wanted, file, name)
        response = JSONResponse(job.to_dict())
        if name != "create_lost":
            return response
        if digest[0] % 2:
            raise server_error()
        return CutResponse(response)

    return await endpoint.answer(fault, work, wanted["model"])


async def list_jobs(request: Request) -> Response:
    """Answer ``GET /v1/fine_tuning/jobs``, the newest first."""
    endpoint: Endpoint = request.app.state.endpoint
    query = request.query_params
    filters = {
        key[len("metadata[") : -1]: value
        for key, value in query.items()
        if key.startswith("metadata[") and key.endswith("]")
    }

    def is_wanted(job: JobRecord) -> bool:
        metadata = job.request["metadata"]
        if query.get("metadata") == "null" and metadata is not None:
            return False
        return all((metadata or {}).get(key) == value for key, value in filters.items())

    def work() -> Response:
        workshop = JobWorker(endpoint)
        jobs = [workshop.advance(job) for job in endpoint.state.jobs.all() if is_wanted(job)]
        return page_of(
            jobs[::-1],
            query,
            default_limit=20,
            max_limit=100,
            id_of=lambda job: job.id,
            show=JobRecord.to_dict,
        )

    return await endpoint.answer(endpoint.meet("read", read_digest(request)), work)


async def get_job(request: Request) -> Response:
    """Answer ``GET /v1/fine_tuning/jobs/ID``, which brings the job one step on."""
    return await _with_job(request, lambda workshop, job: workshop.poll(job))


async def cancel_job(request: Request) -> Response:
    """Answer ``POST /v1/fine_tuning/jobs/ID/cancel``."""
    return await _with_job(request, lambda workshop, job: workshop.cancel(job))


async def pause_job(request: Request) -> Response:
    """Answer ``POST /v1/fine_tuning/jobs/ID/pause``."""
    return await _with_job(request, lambda workshop, job: workshop.pause(job))


async def resume_job(request: Request) -> Response:
    """Answer ``POST /v1/fine_tuning/jobs/ID/resume``."""
    return await _with_job(request, lambda workshop, job: workshop.resume(job))


async def list_events(request: Request) -> Response:
    """Answer ``GET /v1/fine_tuning/jobs/ID/events``, the newest first."""
    endpoint: Endpoint = request.app.state.endpoint

    def work() -> Response:
        return page_of(
            _find(request).events[::-1],
            request.query_params,
            default_limit=20,
            max_limit=100,
            id_of=lambda event: str(event["id"]),
            show=lambda event: event,
        )

    return await endpoint.answer(endpoint.meet("read", read_digest(request)), work)


async def list_checkpoints(request: Request) -> Response:
    """Answer ``GET /v1/fine_tuning/jobs/ID/checkpoints``: the end of a job that has succeeded."""
    endpoint: Endpoint = request.app.state.endpoint

    def work() -> Response:
        job = _find(request)
        checkpoints = [job.final_checkpoint()] if job.status == "succeeded" else []
        return page_of(
            checkpoints,
            request.query_params,
            default_limit=10,
            max_limit=100,
            id_of=lambda checkpoint: str(checkpoint["id"]),
            show=lambda checkpoint: checkpoint,
        )

    return await endpoint.answer(endpoint.meet("read", read_digest(request)), work)


async def _with_job(request: Request, act: Callable[[JobWorker, JobRecord], JobRecord]) -> Response:
    endpoint: Endpoint = request.app.state.endpoint

    def work() -> Response:
        return JSONResponse(act(JobWorker(endpoint), _find(request)).to_dict())

    return await endpoint.answer(endpoint.meet("read", read_digest(request)), work)


def _find(request: Request) -> JobRecord:
    endpoint: Endpoint = request.app.state.endpoint
    job_id = request.path_params["job_id"]
    job = endpoint.state.jobs.get(job_id)
    if job is None:
        raise ApiError(404, f"Could not find fine tune: {job_id}", param="fine_tune_id")
    return job
