"""Run fine-tuning jobs from the plan to the new model, resumable after a crash.

PLANNED → UPLOADED → CREATING → CREATED → RUNNING (↔ PAUSED) → SUCCEEDED | FAILED | CANCELLED

The intent is stored before each call that creates something, and the result after it. If the
process is killed in between, the stored row tells the next process what to search for at the
service before it repeats the call.
"""

import asyncio
import dataclasses
import hashlib
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from nip.errors import ResumeError, warn_user
from nip.language_models.costs.prices import Prices
from nip.language_models.errors import (
    BadRequestError,
    BudgetExceededError,
    ErrorPolicy,
    FineTuningDatasetError,
    FineTuningError,
    LanguageModelError,
)
from nip.language_models.fine_tuning.backend import FineTuningBackend, RemoteJob
from nip.language_models.fine_tuning.idempotent_creation import (
    PollingPolicy,
    create_idempotently,
    retry,
)
from nip.language_models.fine_tuning.job_plan import (
    JobOptions,
    JobPlan,
    first_attempt,
    next_attempt,
    request_of,
)
from nip.language_models.fine_tuning.waiting import FINAL, finish, wait_for_end
from nip.run_store import FineTuningJobRow
from nip.utils.files import make_folder, write_atomically

Result = TypeVar("Result")

_RUNNING = ("CREATED", "RUNNING", "PAUSED")


class JobStore(Protocol):
    """Interface of the database table of jobs; implemented by ``Run.jobs``."""

    def save(self, job: FineTuningJobRow) -> None:
        """Store an attempt durably."""

    def of_iteration(self, iteration: int) -> list[FineTuningJobRow]:
        """Return the attempts of an iteration, sorted by group and attempt."""


class JobRunner:
    """Runs the fine-tuning jobs of one run, with one backend per model group.

    ``create`` and ``wait`` may be called again in a later process, and continue from the stored
    rows. The jobs of all groups run concurrently. Iterations are counted from 1. ``run_id`` is part
    of the keys of jobs. Datasets are stored in the subfolder ``fine_tuning`` of ``folder``, that of
    the run. ``reserve`` is called before each creation of a job, and raises a
    ``BudgetExceededError`` if its worst case does not fit into the budget. Then the job waits for
    running ones, which mostly cost less than their worst case; the error is raised if none is
    running.
    """

    def __init__(
        self,
        run_id: str,
        folder: Path,
        jobs: JobStore,
        backends: Mapping[str, FineTuningBackend],
        options: JobOptions | None = None,
        polling: PollingPolicy | None = None,
        prices: Prices | None = None,
        reserve: Callable[[FineTuningJobRow], None] = lambda _: None,
    ) -> None:
        self._run_id = run_id
        self._folder = folder
        self._jobs = jobs
        self._backends = backends
        self._options = options or JobOptions()
        self._polling = polling or PollingPolicy()
        self._prices = prices or Prices()
        self._reserve = reserve
        # Keys of attempts planned by this process. They cannot exist at the service yet, so their
        # upload needs no search before it.
        self._planned_here: set[str] = set()

    async def create(self, iteration: int, plans: Sequence[JobPlan]) -> dict[str, FineTuningJobRow]:
        """Upload the datasets, create the jobs, and return the latest attempt of each group.

        If a dataset has fewer examples than the service or the options require, a warning is
        emitted, no job is created, and the group keeps its model. A job that the service rejects is
        stored as FAILED and handled by ``wait``.

        Raises
        ------
        FineTuningDatasetError
            If a dataset is larger than the service allows.
        ResumeError
            If the group already has a job with a different dataset.
        LanguageModelError
            If a service is unavailable, or the budget is used up.
        """
        rows = [self._plan(iteration, plan) for plan in plans]
        planned = [row for row in rows if row is not None]
        missing = planned
        while missing:
            # Let all finish even if one fails: each completed creation saves a search on resume.
            done = await asyncio.gather(*map(self._advance, missing), return_exceptions=True)
            errors = [each for each in done if isinstance(each, BaseException)]
            for error in errors:
                if not isinstance(error, BudgetExceededError):
                    raise error
            if errors and not await self._end_running(iteration):
                raise errors[0]
            missing = [
                self._latest(row)
                for row, result in zip(missing, done, strict=True)
                if isinstance(result, BaseException)
            ]
        return {row.model_group: self._latest(row) for row in planned}

    async def wait(self, iteration: int) -> dict[str, FineTuningJobRow]:
        """Wait until all jobs of an iteration have ended, and return each group's last attempt.

        Its ``model`` is the new model, or None if the group keeps its old one.

        Raises
        ------
        FineTuningError
            If a job failed and stops the run. Called again, ``wait`` makes another attempt, or
            continues to wait for a job that exceeded its deadline.
        LanguageModelError
            If a service is unavailable, or the budget is used up.
        """
        unfinished = list(self._latest_by_group(iteration).values())
        while unfinished:
            results = await _all_or_first_error(map(self._run_to_end_in_budget, unfinished))
            errors = [each for each in results if isinstance(each, BudgetExceededError)]
            # What another group's job has cost is known now, so that an attempt may fit.
            if len(errors) == len(unfinished):
                raise errors[0]
            latest = self._latest_by_group(iteration)
            unfinished = [
                latest[row.model_group]
                for row, result in zip(unfinished, results, strict=True)
                if isinstance(result, BudgetExceededError)
            ]
        return self._latest_by_group(iteration)

    def _plan(self, iteration: int, plan: JobPlan) -> FineTuningJobRow | None:
        dataset, backend = plan.dataset, self._backends[plan.group]
        present = [r for r in self._jobs.of_iteration(iteration) if r.model_group == plan.group]
        if present:
            return self._check_same(present[-1], plan)
        _check_size(plan, backend)
        if dataset.num_unusable:
            warn_user(
                f"{dataset.num_unusable} fine-tuning examples of group {plan.group!r} after "
                f"iteration {iteration} are left out, because they contain an empty message."
            )
        fewest = max(backend.min_examples, self._options.min_examples)
        if dataset.num_examples < fewest:
            is_own = fewest > backend.min_examples
            rule = "fine_tuning.min_examples is" if is_own else "the service requires at least"
            warn_user(
                f"Group {plan.group!r} has {dataset.num_examples} fine-tuning examples after "
                f"iteration {iteration}, but {rule} {fewest}: the group keeps its model. Sample "
                "more rollouts, or select a larger share of them."
            )
            return None
        row = first_attempt(self._run_id, iteration, plan, backend)
        path = self._folder / row.dataset_path
        make_folder(path.parent)
        write_atomically(path, dataset.content)
        self._planned_here.add(row.key)
        return self._save(row)

    def _check_same(self, row: FineTuningJobRow, plan: JobPlan) -> FineTuningJobRow:
        if row.dataset_sha256 != plan.dataset.sha256:
            raise ResumeError(
                f"Group {row.model_group!r} already has a fine-tuning job after iteration "
                f"{row.iteration} with different examples. The rollouts of the run or the code "
                "that selects them have changed; start a new run with another run_id."
            )
        return row

    async def _advance(self, row: FineTuningJobRow) -> FineTuningJobRow:
        """Upload the dataset and create the job of an attempt, if not done yet."""
        try:
            if row.status == "PLANNED":
                row = await self._upload(row)
            if row.status in ("UPLOADED", "CREATING"):
                row = await self._create(row)
        except LanguageModelError as error:
            if error.policy is not ErrorPolicy.END_CALL:
                raise
            latest = self._latest(row)
            row = self._save(dataclasses.replace(latest, status="FAILED", error=str(error)))
        return row

    async def _upload(self, row: FineTuningJobRow) -> FineTuningJobRow:
        backend = self._backends[row.model_group]
        content = self._read_dataset(row)
        file_id = await create_idempotently(
            lambda: backend.upload(content, row.file_name),
            lambda: backend.find_file(row.file_name),
            self._polling,
            may_exist=row.key not in self._planned_here,
            what=f"The upload of the dataset of {_name(row)}",
        )
        return self._save(dataclasses.replace(row, status="UPLOADED", file_id=file_id))

    async def _create(self, row: FineTuningJobRow) -> FineTuningJobRow:
        backend = self._backends[row.model_group]
        may_exist = row.status == "CREATING"
        # No `await` until the row counts as created, so that concurrent jobs see each other.
        self._reserve(row)
        row = self._save(dataclasses.replace(row, status="CREATING"))
        request = request_of(self._run_id, row)
        job = await create_idempotently(
            lambda: backend.create_job(request),
            lambda: backend.find_job(row.key),
            self._polling,
            may_exist,
            what=f"The creation of the fine-tuning job of {_name(row)}",
        )
        return self._save(dataclasses.replace(row, status="CREATED", job_id=job.id))

    async def _end_running(self, iteration: int) -> bool:
        """Wait until the running jobs of an iteration have ended; return whether any has."""
        running = [row for row in self._jobs.of_iteration(iteration) if row.status in _RUNNING]
        if not running:
            return False
        names = ", ".join(repr(row.model_group) for row in running)
        warn_user(
            "The worst case of a further fine-tuning job does not fit into the budget: it waits "
            f"for the jobs that are running ({names}), which mostly cost less than theirs."
        )
        ended = await _all_or_first_error(self._wait_for_end(row) for row in running)
        return any(row is not None for row in ended)

    async def _run_to_end_in_budget(
        self, row: FineTuningJobRow
    ) -> FineTuningJobRow | BudgetExceededError:
        """Run a job to its end; return an error if another attempt does not fit yet."""
        try:
            return await self._run_to_end(row)
        except BudgetExceededError as error:
            return error

    async def _run_to_end(self, row: FineTuningJobRow) -> FineTuningJobRow:
        """Wait for the job of a group, and make further attempts as configured."""
        num_attempts = self._num_attempts(row)
        while True:
            row = await self._advance(row)
            if row.status not in FINAL:
                row = await self._wait_for(row, is_last=row.attempt + 1 >= num_attempts)
            if row.status == "SUCCEEDED":
                return row
            if self._options.on_failure == "skip":
                warn_user(f"{_describe(row)} The group keeps its model.")
                return row
            if row.attempt + 1 >= num_attempts:
                self._save(dataclasses.replace(row, has_stopped_run=True))
                raise FineTuningError(
                    f"{_describe(row)} The run stops, with everything saved: fix the cause, then "
                    "start the run again for another attempt."
                )
            warn_user(f"{_describe(row)} Another attempt is made.")
            row = self._save(next_attempt(self._run_id, row))

    def _num_attempts(self, row: FineTuningJobRow) -> int:
        usual = 1 + (self._options.num_retries if self._options.on_failure == "retry" else 0)
        return max(usual, row.attempt + (2 if row.has_stopped_run else 1))

    async def _wait_for(self, row: FineTuningJobRow, is_last: bool) -> FineTuningJobRow:
        backend, deadline_s = self._backends[row.model_group], self._options.deadline_s
        ended = await self._wait_for_end(row)
        if ended is not None:
            return ended
        if is_last and self._options.on_failure != "skip":
            raise FineTuningError(
                f"The fine-tuning job {row.job_id} of group {row.model_group!r} has not ended "
                f"within {deadline_s:g} s. It continues at the service; start the run again to "
                "wait for it for the same time once more."
            )
        return await self._give_up(self._latest(row), backend)

    async def _wait_for_end(self, row: FineTuningJobRow) -> FineTuningJobRow | None:
        backend, deadline_s = self._backends[row.model_group], self._options.deadline_s
        return await wait_for_end(row, backend, self._polling, deadline_s, self._save, self._prices)

    async def _give_up(self, row: FineTuningJobRow, backend: FineTuningBackend) -> FineTuningJobRow:
        """Cancel a job that exceeded its deadline, so that it causes no further cost."""
        remote = await self._cancel(row, backend)
        if remote is not None and remote.status == "succeeded" and remote.model:
            return await finish(row, remote, backend, self._polling, self._save, self._prices)
        text = f"not ended within {self._options.deadline_s:g} s"
        return self._save(dataclasses.replace(row, status="CANCELLED", error=text))

    async def _cancel(self, row: FineTuningJobRow, backend: FineTuningBackend) -> RemoteJob | None:
        assert row.job_id is not None, row
        job_id = row.job_id
        try:
            try:
                return await retry(lambda: backend.cancel_job(job_id), self._polling)
            except BadRequestError:
                # The job has ended between the deadline and the request.
                return await retry(lambda: backend.get_job(job_id), self._polling)
        except LanguageModelError as error:
            warn_user(
                f"The fine-tuning job {job_id} exceeded its deadline and could not be cancelled: "
                f"{error} Cancel it at the service, or it may cause further cost."
            )
            return None

    def _read_dataset(self, row: FineTuningJobRow) -> bytes:
        path = self._folder / row.dataset_path
        content = path.read_bytes() if path.exists() else b""
        if hashlib.sha256(content).hexdigest() != row.dataset_sha256:
            raise ResumeError(
                f"{path} is missing or differs from the dataset of the fine-tuning job of group "
                f"{row.model_group!r}. Restore the file, or start a new run with another run_id."
            )
        return content

    def _latest_by_group(self, iteration: int) -> dict[str, FineTuningJobRow]:
        return {row.model_group: row for row in self._jobs.of_iteration(iteration)}

    def _latest(self, row: FineTuningJobRow) -> FineTuningJobRow:
        rows = self._jobs.of_iteration(row.iteration)
        return next(each for each in rows if each.key == row.key)

    def _save(self, row: FineTuningJobRow) -> FineTuningJobRow:
        self._jobs.save(row)
        return row


def _check_size(plan: JobPlan, backend: FineTuningBackend) -> None:
    size, largest = len(plan.dataset.content), backend.max_file_bytes
    if largest is not None and size > largest:
        raise FineTuningDatasetError(
            f"The fine-tuning examples of group {plan.group!r} have {size:,} bytes, but the "
            f"service allows at most {largest:,}. Sample or select fewer rollouts."
        )


def _name(row: FineTuningJobRow) -> str:
    return f"group {row.model_group!r} after iteration {row.iteration}"


def _describe(row: FineTuningJobRow) -> str:
    error = (row.error or "unknown reason").rstrip(".")
    return (
        f"Fine-tuning of {_name(row)} did not succeed (attempt {row.attempt + 1}, "
        f"{row.status.lower()}): {error}."
    )


async def _all_or_first_error(works: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Run all concurrently; if one fails, cancel the others, which can be resumed."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
