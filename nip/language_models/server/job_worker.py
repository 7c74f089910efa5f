"""Run fine-tuning jobs: create them, advance their status, and train the mock model."""

import math
import time
from typing import Any

from nip.errors import NipError
from nip.language_models.server.endpoint import Endpoint
from nip.language_models.server.errors import ApiError
from nip.language_models.server.job_record import NUM_PAUSED_POLLS, ORGANIZATION, JobRecord
from nip.language_models.server.model_names import fine_tuned_name
from nip.language_models.server.tables import JOBS, StoredFile
from nip.language_models.server.training_file import (
    TrainingFileError,
    count_example_tokens,
    read_examples,
)

SLOW_FACTOR = 10
"""Duration of a job with the fault ``job_slow``, in multiples of the usual duration."""

_FINAL_STATUSES = {"job_failed": "failed", "job_cancelled": "cancelled", "job_paused": "paused"}
_FAILURE = {"code": "server_error", "param": None, "message": "The training of the model failed."}


class JobWorker:
    """Runs the fine-tuning jobs of one endpoint.

    Jobs have no thread of their own: a request for a job advances it, so that tests and rehearsals
    do not depend on timing.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._state = endpoint.state
        self._mock_model = endpoint.mock_model
        self._options = endpoint.options

    def open(self, request: dict[str, Any], file: StoredFile, fault: str | None) -> JobRecord:
        """Create a job from the result of ``read_job_request``, possibly with a fault to inject."""
        method = request["method"]
        hyper_parameters = method[method["type"]]["hyperparameters"]
        tokens, num_examples, error = self._examine(file, method["type"])
        fate = _FINAL_STATUSES.get(fault or "", "succeeded") if error is None else "failed"
        slowness = SLOW_FACTOR if fault == "job_slow" else 1
        steps = math.ceil(
            num_examples * hyper_parameters["n_epochs"] / hyper_parameters["batch_size"]
        )
        job = JobRecord(
            number=0,
            request=request,
            created_at=time.time(),
            fine_tuned_model=fine_tuned_name(request, file.sha256, ORGANIZATION),
            trained_tokens=tokens * hyper_parameters["n_epochs"],
            num_steps=steps,
            num_polls=slowness * self._options.job_polls,
            num_seconds=slowness * self._options.job_seconds,
            fate=fate,
            error=_FAILURE if fate == "failed" and error is None else error,
        )
        with self._state.transaction():
            self._state.jobs.add(job)
            job.note(f"Created fine-tuning job: {job.id}", job.created_at)
            self._state.jobs.save(job)
            for key, value in (request["metadata"] or {}).items():
                self._state.counters.increment(JOBS, f"{key}={value}")
        return job

    def poll(self, job: JobRecord) -> JobRecord:
        """Count a status request, and advance the job."""
        if job.is_over:
            return job
        job.poll()
        return self.advance(job, is_changed=True)

    def advance(self, job: JobRecord, is_changed: bool = False) -> JobRecord:
        """Bring a job to the status that is due now.

        ``is_changed`` tells that the record has unsaved changes.
        """
        now = time.time()
        status = job.next_status(now)
        if status == job.status and not is_changed:
            return job
        with self._state.transaction():
            if status == "succeeded":
                self._finish(job, now)
            elif status != job.status:
                job.enter(status, now)
            self._state.jobs.save(job)
        return job

    def cancel(self, job: JobRecord) -> JobRecord:
        """Cancel a job."""
        self._refuse_if_over(job, "cancelled")
        return self._enter(job, "cancelled")

    def pause(self, job: JobRecord) -> JobRecord:
        """Pause a job until a client resumes it."""
        self._refuse_if_over(job, "paused")
        job.is_held = True
        return self._enter(job, "paused")

    def resume(self, job: JobRecord) -> JobRecord:
        """Resume a paused job."""
        if job.status != "paused":
            raise ApiError(
                400, f"Job {job.id} cannot be resumed: its status is {job.status}, not paused."
            )
        job.is_held, job.paused_polls = False, NUM_PAUSED_POLLS + 1
        return self.advance(job, is_changed=True)

    def _refuse_if_over(self, job: JobRecord, action: str) -> None:
        if job.is_over:
            raise ApiError(400, f"Job {job.id} cannot be {action}: it has already {job.status}.")

    def _enter(self, job: JobRecord, status: str) -> JobRecord:
        job.enter(status, time.time())
        self._state.jobs.save(job)
        return job

    def _finish(self, job: JobRecord, now: float) -> None:
        """Train the mock model and store the result; the job fails if training is refused."""
        request = job.request
        file = self._state.files.get(request["training_file"])
        try:
            if file is None:
                raise TrainingFileError("The training file was deleted.")
            method = request["method"]["type"]
            examples = read_examples(self._state.files.content(file), method)
            base = self._state.models.data(request["model"])
            data = self._mock_model.train(base, examples, method)
        except (NipError, TrainingFileError) as error:
            job.error = {"code": "training_failed", "param": None, "message": str(error)}
            job.enter("failed", now)
            return
        self._state.models.add(job.fine_tuned_model, data)
        measured = {"step": job.num_steps, "total_steps": job.num_steps}
        job.note(f"Step {job.num_steps}/{job.num_steps}", now, data=measured)
        job.note(f"New fine-tuned model created: {job.fine_tuned_model}", now)
        self._state.counters.bill(trained_tokens=job.trained_tokens)
        job.enter("succeeded", now)

    def _examine(self, file: StoredFile, method: str) -> tuple[int, int, dict[str, Any] | None]:
        """Return the tokens and the number of examples of a file, and its error, if any."""
        try:
            examples = read_examples(self._state.files.content(file), method)
        except TrainingFileError as error:
            found = {"code": "invalid_training_file", "param": "training_file"}
            return 0, 0, {**found, "message": str(error)}
        return count_example_tokens(examples), len(examples), None
