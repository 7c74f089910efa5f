"""Fine-tuning jobs from the plan to the model, through crashes.

PLANNED → UPLOADED → CREATING → CREATED → RUNNING (↔ PAUSED) → SUCCEEDED | FAILED | CANCELLED

What is about to be done is stored before the call that does it, what came of it afterwards. A
process that was killed in between leaves a row from which the next one knows what to look for at
the service before it asks for anything again.
"""

import asyncio
import dataclasses
import hashlib
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from nip.errors import ResumeError, warn_user
from nip.language_models.costs.prices import Prices
from nip.language_models.errors import BadRequestError, ErrorPolicy, LanguageModelError
from nip.language_models.fine_tuning.backend import FineTuningBackend, RemoteJob
from nip.language_models.fine_tuning.errors import FineTuningDatasetError, FineTuningError
from nip.language_models.fine_tuning.idempotent_creation import PollingPolicy, ask, do_once
from nip.language_models.fine_tuning.job_plan import (
    JobOptions,
    JobPlan,
    first_attempt,
    next_attempt,
    request_of,
)
from nip.language_models.fine_tuning.waiting import FINAL, finish, wait_for_end
from nip.run_store import FineTuningJobRow
from nip.utils.files import write_atomically


class JobStore(Protocol):
    """Where jobs are kept; ``Run.jobs`` is one."""

    def save(self, job: FineTuningJobRow) -> None:
        """Store an attempt so that it outlives the process."""

    def of_iteration(self, iteration: int) -> list[FineTuningJobRow]:
        """Return the attempts of an iteration, in the order of groups and attempts."""


class JobRunner:
    """Drives the jobs of one run.

    ``create`` and ``wait`` may be called again in any later process; they go on where the rows of
    the store say that they were. The groups' jobs advance at the same time.

    Parameters
    ----------
    run_id : str
        Name of the run; a part of the keys of its jobs.
    folder : Path
        Folder of the run; datasets lie in its ``fine_tuning/``.
    jobs : JobStore
        Where the jobs are kept.
    backends : Mapping[str, FineTuningBackend]
        The service of each group.
    options : JobOptions, optional
        What to do while a job runs, and when it fails.
    pace : PollingPolicy, optional
        How often services are asked.
    prices : Prices, optional
        What training costs.
    """

    def __init__(
        self,
        run_id: str,
        folder: Path,
        jobs: JobStore,
        backends: Mapping[str, FineTuningBackend],
        options: JobOptions | None = None,
        pace: PollingPolicy | None = None,
        prices: Prices | None = None,
    ) -> None:
        self._run_id = run_id
        self._folder = folder
        self._jobs = jobs
        self._backends = backends
        self._options = options or JobOptions()
        self._pace = pace or PollingPolicy()
        self._prices = prices or Prices()
        # Attempts that this process has planned: nobody can have asked the service for them.
        self._begun_here: set[str] = set()

    async def create(self, iteration: int, plans: Sequence[JobPlan]) -> dict[str, FineTuningJobRow]:
        """Upload the datasets and have the services make the jobs.

        A dataset with fewer examples than its service takes makes no job, with a warning: the
        group keeps its model. A job that its service refuses is stored as FAILED; ``wait`` decides
        what follows.

        Returns
        -------
        rows : dict[str, FineTuningJobRow]
            The latest attempt of each group that has one.

        Raises
        ------
        FineTuningDatasetError
            If a dataset is larger than its service takes.
        ResumeError
            If a job of the group is there already, with another dataset.
        LanguageModelError
            If a service cannot be used at all, or not for a long time.
        """
        rows = {plan.group: self._plan(iteration, plan) for plan in plans}
        planned = [row for row in rows.values() if row is not None]
        # Each may finish what it has begun, although another has failed: that saves look-ups later.
        done = await asyncio.gather(*map(self._advance, planned), return_exceptions=True)
        for result in done:
            if isinstance(result, BaseException):
                raise result
        return {row.model_group: row for row in done if not isinstance(row, BaseException)}

    async def wait(self, iteration: int) -> dict[str, FineTuningJobRow]:
        """Wait until all jobs of an iteration have ended, with further attempts where asked for.

        Returns
        -------
        rows : dict[str, FineTuningJobRow]
            The last attempt of each group that has one. Its ``model`` is the new model, or None
            where the group keeps its old one.

        Raises
        ------
        FineTuningError
            If a job failed and the run is to stop. Called again, it makes another attempt, or goes
            on waiting for a job that was only too slow.
        LanguageModelError
            If a service cannot be used at all.
        """
        latest = {row.model_group: row for row in self._jobs.of_iteration(iteration)}
        finished = await _all_or_first_error([self._see_through(row) for row in latest.values()])
        return {row.model_group: row for row in finished}

    def _plan(self, iteration: int, plan: JobPlan) -> FineTuningJobRow | None:
        dataset, backend = plan.dataset, self._backends[plan.group]
        present = [r for r in self._jobs.of_iteration(iteration) if r.model_group == plan.group]
        if present:
            return self._check_same(present[-1], plan)
        _check_size(plan, backend)
        if dataset.num_unusable:
            warn_user(
                f"{dataset.num_unusable} examples of group {plan.group!r} are left out of iteration"
                f" {iteration + 1}'s fine-tuning, because a message in them is empty."
            )
        if dataset.num_examples < backend.min_examples:
            warn_user(
                f"Group {plan.group!r} has {dataset.num_examples} fine-tuning examples after "
                f"iteration {iteration + 1}, and the service takes no fewer than "
                f"{backend.min_examples}: the group keeps its model. Sample more rollouts or keep "
                "a larger share of them."
            )
            return None
        row = first_attempt(self._run_id, iteration, plan, backend)
        path = self._folder / row.dataset_path
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, dataset.content)
        self._begun_here.add(row.key)
        return self._save(row)

    def _check_same(self, row: FineTuningJobRow, plan: JobPlan) -> FineTuningJobRow:
        if row.dataset_sha256 != plan.dataset.sha256:
            raise ResumeError(
                f"Group {row.model_group!r} has a fine-tuning job after iteration "
                f"{row.iteration + 1} already, from other examples than those there are now. The "
                "rollouts of the run or the code that chooses among them has changed; begin a new "
                "run under another run_id."
            )
        return row

    async def _advance(self, row: FineTuningJobRow) -> FineTuningJobRow:
        """Bring an attempt to CREATED, if it is not there yet, or to FAILED."""
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
        file_id = await do_once(
            lambda: backend.upload(content, row.file_name),
            lambda: backend.find_file(row.file_name),
            self._pace,
            may_be_done=row.key not in self._begun_here,
        )
        return self._save(dataclasses.replace(row, status="UPLOADED", file_id=file_id))

    async def _create(self, row: FineTuningJobRow) -> FineTuningJobRow:
        backend = self._backends[row.model_group]
        may_be_done = row.status == "CREATING"
        row = self._save(dataclasses.replace(row, status="CREATING"))
        request = request_of(self._run_id, row)
        job = await do_once(
            lambda: backend.create_job(request),
            lambda: backend.find_job(row.key),
            self._pace,
            may_be_done,
        )
        return self._save(dataclasses.replace(row, status="CREATED", job_id=job.id))

    async def _see_through(self, row: FineTuningJobRow) -> FineTuningJobRow:
        """Follow a group's job to its end, and make further attempts if they are wanted."""
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
                    f"{_describe(row)} The run stops here, with everything saved: start it again "
                    "for another attempt, once the cause is mended."
                )
            warn_user(f"{_describe(row)} Another attempt is made.")
            row = self._save(next_attempt(self._run_id, row))

    def _num_attempts(self, row: FineTuningJobRow) -> int:
        usual = 1 + (self._options.num_retries if self._options.on_failure == "retry" else 0)
        return max(usual, row.attempt + (2 if row.has_stopped_run else 1))

    async def _wait_for(self, row: FineTuningJobRow, is_last: bool) -> FineTuningJobRow:
        backend, deadline_s = self._backends[row.model_group], self._options.deadline_s
        ended = await wait_for_end(row, backend, self._pace, deadline_s, self._save, self._prices)
        if ended is not None:
            return ended
        if is_last and self._options.on_failure != "skip":
            raise FineTuningError(
                f"The fine-tuning job {row.job_id} of group {row.model_group!r} has not ended "
                f"within {deadline_s:g} s. It goes on at the service; start the run again to wait "
                "for it as long once more."
            )
        return await self._give_up(self._latest(row), backend)

    async def _give_up(self, row: FineTuningJobRow, backend: FineTuningBackend) -> FineTuningJobRow:
        """Cancel a job that is too slow, so that it costs nothing more."""
        remote = await self._cancel(row, backend)
        if remote is not None and remote.status == "succeeded" and remote.model:
            return await finish(row, remote, backend, self._pace, self._save, self._prices)
        text = f"not ended within {self._options.deadline_s:g} s"
        return self._save(dataclasses.replace(row, status="CANCELLED", error=text))

    async def _cancel(self, row: FineTuningJobRow, backend: FineTuningBackend) -> RemoteJob | None:
        assert row.job_id is not None, row
        job_id = row.job_id
        try:
            try:
                return await ask(lambda: backend.cancel_job(job_id), self._pace)
            except BadRequestError:
                # It has ended in the last moment.
                return await ask(lambda: backend.get_job(job_id), self._pace)
        except LanguageModelError as error:
            warn_user(
                f"The fine-tuning job {job_id} is too slow and could not be cancelled: {error} "
                "Cancel it at the service, or it may go on costing money."
            )
            return None

    def _read_dataset(self, row: FineTuningJobRow) -> bytes:
        path = self._folder / row.dataset_path
        content = path.read_bytes() if path.exists() else b""
        if hashlib.sha256(content).hexdigest() != row.dataset_sha256:
            raise ResumeError(
                f"{path} is not the dataset of the fine-tuning job of group {row.model_group!r} "
                "any more. Put a copy of it there, or begin again under another run_id."
            )
        return content

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
            f"The fine-tuning examples of group {plan.group!r} take {size:,} bytes, and the "
            f"service takes no more than {largest:,}. Sample or keep fewer rollouts."
        )


def _describe(row: FineTuningJobRow) -> str:
    error = (row.error or "no reason is known").rstrip(".")
    return (
        f"Fine-tuning of group {row.model_group!r} after iteration {row.iteration + 1} did not "
        f"succeed (attempt {row.attempt + 1}, {row.status.lower()}): {error}."
    )


async def _all_or_first_error(
    works: Sequence[Coroutine[Any, Any, FineTuningJobRow]],
) -> list[FineTuningJobRow]:
    """Do all at the same time; when one fails, drop the others, which can be gone on with."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
