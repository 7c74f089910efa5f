"""Following a job until it has ended."""

import dataclasses
from collections.abc import Callable

from nip.errors import warn_user
from nip.language_models.chat import ModelSpec
from nip.language_models.costs.prices import Prices
from nip.language_models.errors import LanguageModelError, UnknownModelError
from nip.language_models.fine_tuning.backend import FineTuningBackend, RemoteJob
from nip.language_models.fine_tuning.idempotent_creation import PollingPolicy, ask, is_transient
from nip.run_store import FineTuningJobRow, JobStatus

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
FINAL = ("SUCCEEDED", "FAILED", "CANCELLED")


async def wait_for_end(
    row: FineTuningJobRow,
    backend: FineTuningBackend,
    pace: PollingPolicy,
    deadline_s: float,
    save: Save,
    prices: Prices,
) -> FineTuningJobRow | None:
    """Ask for a job until it has ended, ever more slowly.

    Errors that may pass do not end the waiting; only the deadline does.

    Returns
    -------
    row : FineTuningJobRow | None
        The job as it ended, with its events; None if the deadline passed.
    """
    assert row.job_id is not None, row
    end = pace.now() + deadline_s
    number = 0
    while True:
        remote = await _look(row.job_id, backend)
        if remote is not None:
            row = _enter(row, remote, save)
            if row.status in FINAL:
                return await finish(row, remote, backend, pace, save, prices)
        left = end - pace.now()
        if left <= 0:
            return None
        await pace.sleep(min(pace.pause_s(number), left))
        number += 1


async def finish(
    row: FineTuningJobRow,
    remote: RemoteJob,
    backend: FineTuningBackend,
    pace: PollingPolicy,
    save: Save,
    prices: Prices,
) -> FineTuningJobRow:
    """Store how a job ended: model, tokens, cost, events."""
    cost = 0.0 if backend.is_free else None
    if remote.trained_tokens is not None and not backend.is_free:
        # Prices depend on the name of the model alone; the provider tells only what is free.
        price = prices.get(ModelSpec("openai", row.base_model))
        cost = price.of_training(remote.trained_tokens) if price else None
    return save(
        dataclasses.replace(
            row,
            status=_STATUS[remote.status],
            model=remote.model,
            trained_tokens=remote.trained_tokens,
            cost=cost,
            error=_error_of(remote),
            events=await _events(row, backend, pace),
        )
    )


async def _look(job_id: str, backend: FineTuningBackend) -> RemoteJob | None:
    """Ask once; None if the answer may come later."""
    try:
        return await backend.get_job(job_id)
    except UnknownModelError as error:
        return RemoteJob(job_id, "failed", error=f"The service has no such job any more: {error}")
    except LanguageModelError as error:
        if not is_transient(error):
            raise
        return None


def _enter(row: FineTuningJobRow, remote: RemoteJob, save: Save) -> FineTuningJobRow:
    """Note how far the job is; the end itself is noted together with what came of it."""
    status = _STATUS.get(remote.status, "RUNNING")
    if status == "SUCCEEDED" and not remote.model:
        # Some services name the new model a little later.
        status = "RUNNING"
    if status in FINAL:
        return dataclasses.replace(row, status=status)
    if status == row.status:
        return row
    if status == "PAUSED":
        warn_user(
            f"The service has paused the fine-tuning job {remote.id} of group {row.model_group!r}. "
            "The run waits for it until the deadline; let it go on, or cancel it, there."
        )
    return save(dataclasses.replace(row, status=status))


def _error_of(remote: RemoteJob) -> str | None:
    if remote.status == "succeeded":
        return None
    return remote.error or f"The service gave no reason; its status is {remote.status!r}."


async def _events(
    row: FineTuningJobRow, backend: FineTuningBackend, pace: PollingPolicy
) -> tuple[dict[str, object], ...]:
    assert row.job_id is not None, row
    job_id = row.job_id
    try:
        return tuple(await ask(lambda: backend.list_events(job_id), pace))
    except LanguageModelError as error:
        warn_user(
            f"The events of the fine-tuning job {job_id} could not be read: {error} The run goes "
            "on without them."
        )
        return ()
