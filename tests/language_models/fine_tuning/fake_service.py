"""A service that trains models, in memory, and a process that can be killed at any step."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

from nip.language_models.fine_tuning import (
    FineTuningBackend,
    JobOptions,
    JobPlan,
    JobRunner,
    PollingPolicy,
    RemoteJob,
    supervised_dataset,
)
from nip.run_store import FineTuningJobRow
from nip.run_store.database import RunDatabase

BASE_MODEL = "gpt-4o-mini-2024-07-18"


class KillError(BaseException):
    """Stands for the end of the process: nobody catches it."""


class Steps:
    """Counts what is done, and kills at one moment."""

    def __init__(self, kill_at: int | None = None) -> None:
        self.done = 0
        self.kill_at = kill_at

    def step(self) -> None:
        self.done += 1
        if self.done - 1 == self.kill_at:
            raise KillError


class FakeTime:
    """A clock that goes on only while someone sleeps."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.pauses: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.seconds += seconds
        await asyncio.sleep(0)

    def polling(self, poll_s: float = 10.0) -> PollingPolicy:
        return PollingPolicy(poll_s, self.sleep, lambda: self.seconds)


class FakeService:
    """What outlives the process: files, jobs, and how jobs will go.

    Parameters
    ----------
    fates
        For each job in the order of making, the statuses that are shown poll after poll; the last
        one stays. The last fate holds for all further jobs.
    """

    def __init__(self, fates: Iterable[Iterable[str]] = (("queued", "running", "succeeded"),)):
        self.fates = [list(fate) for fate in fates]
        self.files: list[tuple[str, bytes]] = []
        self.jobs: list[dict] = []
        self.calls: list[str] = []
        self.faults: dict[str, list] = {}
        self.is_slow_to_list = 0

    def fail(self, name: str, *outcomes) -> None:
        """Let calls of a method fail: an error, or ("after", error) when the work is done first."""
        self.faults.setdefault(name, []).extend(outcomes)


class FakeBackend(FineTuningBackend):
    name = "fake"
    min_examples = 10
    max_file_bytes = 1_000_000

    def __init__(self, service: FakeService, steps: Steps | None = None) -> None:
        self.service = service
        self.steps = steps or Steps()

    @classmethod
    def check_access(cls, model, context) -> None:
        pass

    @contextlib.contextmanager
    def _call(self, name):
        self.service.calls.append(name)
        faults = self.service.faults.get(name)
        fault = faults.pop(0) if faults else None
        if isinstance(fault, Exception):
            raise fault
        self.steps.step()
        yield
        self.steps.step()
        if fault is not None:
            raise fault[1]

    async def upload(self, content, name):
        with self._call("upload"):
            self.service.files.append((name, content))
            return f"file-{len(self.service.files)}"

    async def find_file(self, name):
        with self._call("find_file"):
            names = [each for each, _ in self.service.files]
            return f"file-{names.index(name) + 1}" if name in names else None

    async def create_job(self, request):
        jobs = self.service.jobs
        with self._call("create_job"):
            fate = self.service.fates[min(len(jobs), len(self.service.fates) - 1)]
            jobs.append({"request": request, "fate": list(fate)})
            return RemoteJob(f"job-{len(jobs)}", "validating_files")

    async def find_job(self, key):
        with self._call("find_job"):
            if self.service.is_slow_to_list:
                self.service.is_slow_to_list -= 1
                return None
            keys = [job["request"].key for job in self.service.jobs]
            return self._show(keys.index(key)) if key in keys else None

    async def get_job(self, job_id):
        with self._call("get_job"):
            index = int(job_id.removeprefix("job-")) - 1
            fate = self.service.jobs[index]["fate"]
            if len(fate) > 1:
                fate.pop(0)
            return self._show(index)

    async def cancel_job(self, job_id):
        with self._call("cancel_job"):
            index = int(job_id.removeprefix("job-")) - 1
            self.service.jobs[index]["fate"] = ["cancelled"]
            return self._show(index)

    async def list_events(self, job_id):
        with self._call("list_events"):
            return [{"level": "info", "message": "step 1", "data": {"train_loss": 0.5}}]

    def _show(self, index):
        status = self.service.jobs[index]["fate"][0]
        is_done = status == "succeeded"
        return RemoteJob(
            id=f"job-{index + 1}",
            status=status,
            model=f"ft:{BASE_MODEL}:{index + 1}" if is_done else None,
            trained_tokens=2_000_000 if is_done else None,
            error="the data are odd" if status == "failed" else None,
        )


class SteppedJobs:
    """The store of jobs, with a step before and after each save."""

    def __init__(self, jobs, steps: Steps) -> None:
        self._jobs = jobs
        self._steps = steps
        self.statuses: list[str] = []
        self.kill_after: str | None = None

    def save(self, job) -> None:
        self._steps.step()
        self._jobs.save(job)
        self.statuses.append(job.status)
        if job.status == self.kill_after:
            raise KillError
        self._steps.step()

    def of_iteration(self, iteration):
        return self._jobs.of_iteration(iteration)


def plan(group: str = "verifier", num_examples: int = 12, **changes) -> JobPlan:
    conversations = [
        [{"role": "user", "content": f"Question {n}"}, {"role": "assistant", "content": "Yes."}]
        for n in range(num_examples)
    ]
    values = {"base_model": BASE_MODEL, "seed": 7, "n_epochs": 3} | changes
    return JobPlan(group, dataset=supervised_dataset(conversations), **values)


class Process:
    """One life of the process that runs the jobs."""

    def __init__(
        self,
        folder: Path,
        service: FakeService,
        options: JobOptions | None = None,
        kill_at: int | None = None,
        groups: tuple[str, ...] = ("verifier",),
        run_id: str = "r",
        reserve: Callable[[Self, FineTuningJobRow], None] | None = None,
    ) -> None:
        self.database = RunDatabase(folder / "run.db")
        self.steps = Steps(kill_at)
        self.time = FakeTime()
        self.store = SteppedJobs(self.database.jobs, self.steps)
        self.groups = groups
        backends = {group: FakeBackend(service, self.steps) for group in groups}
        self.runner = JobRunner(
            run_id,
            folder,
            self.store,
            backends,
            options,
            self.time.polling(),
            reserve=lambda row: None if reserve is None else reserve(self, row),
        )

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.database.close()

    def run(self, plans: list[JobPlan] | None = None):
        """Make the jobs and wait for them; return the last attempts."""

        async def work():
            await self.runner.create(1, plans or [plan(group) for group in self.groups])
            return await self.runner.wait(1)

        return asyncio.run(work())


def live_once(folder: Path, service: FakeService, **how):
    """Run the jobs from wherever they are to their end; return the only group's last attempt."""
    with Process(folder, service, **how) as process:
        (row,) = process.run().values()
    return row
