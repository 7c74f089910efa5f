"""Poll the status of a fine-tuning job until it has ended, and store the result."""

import dataclasses
from collections.abc import Callable

from nip.errors import warn_user
from nip.language_models.costs.prices import Prices
from nip.language_models.engine.waiting import ANNOUNCED_S
from nip.language_models.errors import AuthenticationError, LanguageModelError, UnknownModelError
from nip.language_models.fine_tuning.backend import FineTuningBackend, RemoteJob
from nip.language_models.fine_tuning.idempotent_creation import PollingPolicy, is_transient, retry
from nip.language_models.fine_tuning.job_cost import price_of_job
from nip.run_store import FineTuningJobRow, JobStatus
from nip.utils.secrets import scrub, scrub_tree

Save = Callable[[FineTuningJobRow], FineTuningJobRow]

_STATUS: dict[str, JobStatus] = {
    "validating_files": "CREATED",
    "queued": "CREATED",
    "running": "RUNNING",
    "paused": "PAUSED",
    "succeeded": "SUCCEEDED",
    "failed": "FAILED",
    "cancelled": "CANCELLED",
}
_MAX_REFUSED = 3
"""Refusals of the key in a row after which it counts as wrong."""

FINAL = ("SUCCEEDED", "FAILED", "CANCELLED")


async def wait_for_end(
    row: FineTuningJobRow,
    backend: FineTuningBackend,
    polling: PollingPolicy,
    deadline_s: float,
    save: Save,
    prices: Prices,
) -> FineTuningJobRow | None:
    """Poll a job until it has ended, with growing intervals; return None at the deadline.

    Transient errors do not end the polling, but are announced if they go on. Single refusals of the
    key are ignored once the status was read: services and proxies sometimes refuse single requests.
    A wait that the service asks for is kept.
    """
    assert row.job_id is not None, row
    end = polling.now() + deadline_s
    what = f"the fine-tuning job {row.job_id} of group {row.model_group!r}"
    waits = polling.waits_of(f"The polling of {what}")
    number = num_refused = 0
    was_read = is_announced = False
    failing_since: float | None = None
    while True:
        pause_s = polling.pause_s(number)
        try:
            remote = await _look(row.job_id, backend)
            was_read, num_refused = True, 0
            failing_since, is_announced = None, False
            waits.note_success()
            row = _enter(row, remote, save)
            if row.status in FINAL:
                return await finish(row, remote, backend, polling, save, prices)
        except AuthenticationError:
            num_refused += 1
            if not was_read or num_refused >= _MAX_REFUSED:
                raise
        except LanguageModelError as error:
            if not is_transient(error):
                raise
            failing_since = polling.now() if failing_since is None else failing_since
            if polling.now() - failing_since > ANNOUNCED_S and not is_announced:
                is_announced = True
                warn_user(
                    f"The status of {what} cannot be read. It is requested again until the "
                    f"deadline of the job: {error}"
                )
            waits.check(error.retry_after or 0.0, str(error))
            pause_s = max(pause_s, error.retry_after or 0.0)
        left = end - polling.now()
        if left <= 0:
            return None
        await polling.sleep(min(pause_s, left))
        number += 1


async def finish(
    row: FineTuningJobRow,
    remote: RemoteJob,
    backend: FineTuningBackend,
    polling: PollingPolicy,
    save: Save,
    prices: Prices,
) -> FineTuningJobRow:
    """Store the result of a job: status, model, tokens, cost and events."""
    cost = None
    price = price_of_job(prices, row.backend, row.base_model, is_free=backend.is_free)
    if price is not None and (remote.trained_tokens is not None or price.training == 0):
        cost = price.of_training(remote.trained_tokens or 0)
    return save(
        dataclasses.replace(
            row,
            status=_STATUS[remote.status],
            model=remote.model,
            trained_tokens=remote.trained_tokens,
            cost=cost,
            error=_error_of(remote),
            events=await _events(row, backend, polling),
        )
    )


async def _look(job_id: str, backend: FineTuningBackend) -> RemoteJob:
    """Request the status once."""
    try:
        return await backend.get_job(job_id)
    except UnknownModelError as error:
        return RemoteJob(
            job_id, "failed", error=f"The job does not exist at the service any more: {error}"
        )


def _enter(row: FineTuningJobRow, remote: RemoteJob, save: Save) -> FineTuningJobRow:
    """Update and store the status; a final status is stored later by ``finish``."""
    status = _STATUS.get(remote.status, "RUNNING")
    if status == "SUCCEEDED" and not remote.model:
        # Some services report the name of the new model with a delay.
        status = "RUNNING"
    if status in FINAL:
        return dataclasses.replace(row, status=status)
    if status == row.status:
        return row
    if status == "PAUSED":
        warn_user(
            f"The service has paused the fine-tuning job {remote.id} of group {row.model_group!r}. "
            "The run waits for it until the deadline; resume or cancel it at the service."
        )
    return save(dataclasses.replace(row, status=status))


def _error_of(remote: RemoteJob) -> str | None:
    if remote.status == "succeeded":
        return None
    return (
        scrub(remote.error or "") or f"The service gave no reason; its status is {remote.status!r}."
    )


async def _events(
    row: FineTuningJobRow, backend: FineTuningBackend, polling: PollingPolicy
) -> tuple[dict[str, object], ...]:
    assert row.job_id is not None, row
    job_id = row.job_id
    try:
        return tuple(scrub_tree(await retry(lambda: backend.list_events(job_id), polling)))
    except LanguageModelError as error:
        warn_user(
            f"The events of the fine-tuning job {job_id} could not be read: {error} The run "
            "continues without them."
        )
        return ()
