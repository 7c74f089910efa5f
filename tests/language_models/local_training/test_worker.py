"""Jobs survive that they, the worker or the experiment are killed."""

import os
import resource
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("peft", reason="the extra lm-local is missing")

from safetensors.numpy import load_file

from nip.language_models.local_training.job_folder import JobFolder, JobStatus
from nip.utils.file_lock import FileLock
from tests.fork_server import Fork, ForkServer
from tests.language_models.local_model.tiny_model import make_model
from tests.language_models.local_training.jobs import make_job, write_examples

WORK = "tests.language_models.local_training.test_worker:work"


def work(folder: str, fatal: Sequence[int] = (), *, keeps_training: bool = False) -> None:
    """Be a worker whose experiment has ended; a job kills itself after these updates in turn."""
    from nip.language_models.local_training import training
    from nip.language_models.local_training.worker import Worker

    class Fatal(training.Training):
        def __init__(self, job: JobFolder) -> None:
            def check(updates: int) -> None:
                number = len(job.deaths)
                if number < len(fatal) and updates == fatal[number]:
                    os.kill(os.getpid(), signal.SIGKILL)

            super().__init__(job, check)

    if not keeps_training:
        training.Training = Fatal  # type: ignore[misc]
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    Worker(Path(folder), None).run()


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    """Return an interpreter with all that workers import.

    It is that of these tests alone, because others check that nothing imports these packages.
    """
    server = ForkServer(0, with_torch=False)
    server.import_all("peft", "transformers", "nip.language_models.local_training.training")
    yield server
    server.close()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("base"))


def job_in(folder: Path, base: Path, **given: Any) -> JobFolder:
    folder.mkdir(exist_ok=True)
    data = write_examples(folder / "examples.jsonl")
    # A checkpoint after each update.
    values = {"n_epochs": 10, "checkpoint_minutes": 1e-9, **given}
    return make_job(folder / "job", base, data, **values)


def wait_until(condition: Any, fork: Fork) -> None:
    while not condition():
        assert fork.wait(0.005) is None, fork.output("stderr")


def results(job: JobFolder) -> tuple[JobStatus, list[dict[str, Any]], dict[str, bytes]]:
    weights = load_file(job.model / "model.safetensors")
    return job.status, job.events(), {name: each.tobytes() for name, each in weights.items()}


@pytest.fixture(scope="module")
def undisturbed(server: ForkServer, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("undisturbed")
    job = job_in(folder, base)
    ending = server.call(WORK, str(folder))
    assert ending.exit_code == 0, ending.stderr
    assert job.status.status == "succeeded", job.status
    return results(job)


def test_a_killed_job_continues_from_its_checkpoint(
    server: ForkServer, base: Path, tmp_path: Path, undisturbed: Any
) -> None:
    job = job_in(tmp_path / "jobs", base)
    assert server.call(WORK, str(job.path.parent), [7, 20]).exit_code == 0
    # Of each update a checkpoint was written, so that none was repeated.
    assert job.deaths == [7, 20]
    assert results(job) == undisturbed


def test_a_job_that_dies_twice_without_progress_fails_with_the_reason(
    server: ForkServer, base: Path, tmp_path: Path
) -> None:
    job = job_in(tmp_path / "jobs", base, checkpoint_minutes=1000.0)
    assert server.call(WORK, str(job.path.parent), [1, 2]).exit_code == 0
    assert job.deaths == [0]
    assert job.status.status == "failed"
    assert "SIGKILL, perhaps because the memory was exhausted" in str(job.status.error)


def test_a_job_goes_on_without_its_worker(
    server: ForkServer, base: Path, tmp_path: Path, undisturbed: Any
) -> None:
    job = job_in(tmp_path / "jobs", base)
    first = server.start(WORK, str(job.path.parent))
    wait_until(job.checkpoints.exists, first)
    first.kill()
    # The next worker waits for it instead of starting it twice.
    assert server.call(WORK, str(job.path.parent)).exit_code == 0
    assert job.deaths == []
    assert results(job) == undisturbed


def test_a_job_is_cancelled(server: ForkServer, base: Path, tmp_path: Path) -> None:
    # Too long to end before it is cancelled, however busy the machine is.
    job = job_in(tmp_path / "jobs", base, n_epochs=10_000)
    worker = server.start(WORK, str(job.path.parent))
    wait_until(job.checkpoints.exists, worker)
    job.cancel()
    ending = worker.wait(60)
    assert ending is not None and ending.exit_code == 0
    assert job.status == JobStatus("cancelled")
    assert not job.model.exists()
    assert not job.checkpoints.exists()


def work_without_package(folder: str, package: str) -> None:
    """Be a worker on a machine without a package."""
    sys.modules[package] = None  # type: ignore[assignment]
    work(folder)


@pytest.mark.parametrize("package", ["peft", "transformers"])
def test_a_job_without_a_package_fails_with_its_name(
    server: ForkServer, package: str, base: Path, tmp_path: Path
) -> None:
    job = job_in(tmp_path / "jobs", base, adaptation="lora")
    name = "tests.language_models.local_training.test_worker:work_without_package"
    assert server.call(name, str(job.path.parent), package).exit_code == 0
    assert job.status.status == "failed"
    assert package in str(job.status.error)


def work_in_little_memory(folder: str) -> None:
    """Be a worker whose jobs cannot allocate the memory that their batches need."""
    from nip.language_models.local_training import training

    class Limited(training.Training):
        def run(self) -> Any:
            size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            limit = size + 64 * 2**20
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            return super().run()

    training.Training = Limited  # type: ignore[misc]
    work(folder, keeps_training=True)


def test_a_job_that_runs_out_of_memory_says_what_to_change(
    server: ForkServer, base: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "jobs"
    folder.mkdir()
    data = write_examples(folder / "examples.jsonl", 5000)
    job = make_job(folder / "job", base, data, n_epochs=1, batch_size=5000)
    name = "tests.language_models.local_training.test_worker:work_in_little_memory"
    assert server.call(name, str(folder)).exit_code == 0
    assert job.status.status == "failed"
    assert "Raise local_training.gradient_accumulation_steps" in str(job.status.error)


def test_a_job_that_is_locked_is_left_alone(server: ForkServer, base: Path, tmp_path: Path) -> None:
    job = job_in(tmp_path / "jobs", base)
    lock = FileLock(job.path / "lock")
    assert lock.acquire(wait=False)
    worker = server.start(WORK, str(job.path.parent))
    assert worker.wait(0.5) is None
    assert job.status == JobStatus()
    job.status = JobStatus("succeeded")
    lock.release()
    ending = worker.wait(60)
    assert ending is not None and ending.exit_code == 0
