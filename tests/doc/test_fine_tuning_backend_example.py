"""The example backend trains through a folder, and crashes make no second job."""

import asyncio
import importlib.util
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nip.errors import ParameterError
from nip.language_models.chat import ModelSpec
from nip.language_models.errors import ModelTimeoutError
from nip.language_models.fine_tuning import (
    JobOptions,
    JobPlan,
    JobRunner,
    PollingPolicy,
    build_fine_tuning_backend,
    check_fine_tuning_access,
    fine_tuning_backend_registry,
    supervised_dataset,
)
from nip.language_models.provider_registry import ConnectionContext
from nip.run_store.database import RunDatabase
from tests.doc.pages import DOC, EXAMPLES

SOURCE = EXAMPLES / "new_fine_tuning_backend.py"
MODEL = ModelSpec("openai", "small")
DATASET = supervised_dataset(
    [[{"role": "user", "content": "Yes?"}, {"role": "assistant", "content": "Yes."}]] * 2
)


@pytest.fixture
def example(monkeypatch, tmp_path):
    queue = tmp_path / "queue"
    queue.mkdir()
    monkeypatch.setenv("TRAINING_QUEUE", str(queue))
    spec = importlib.util.spec_from_file_location("new_fine_tuning_backend", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    fine_tuning_backend_registry.unregister("queue_folder")


def run_job(folder: Path, sleep, lose_answer: bool = False, options: JobOptions | None = None):
    database = RunDatabase(folder / "run.db")
    backend = build_fine_tuning_backend("queue_folder", MODEL, ConnectionContext())
    if lose_answer:
        create = backend.create_job

        async def create_and_lose(request):
            backend.create_job = create
            await create(request)
            raise ModelTimeoutError("lost")

        backend.create_job = create_and_lose
    pace = PollingPolicy(0.01, sleep)
    runner = JobRunner("r", folder, database.jobs, {"verifier": backend}, options, pace)

    async def work():
        await runner.create(1, [JobPlan("verifier", "small", DATASET, seed=1)])
        return (await runner.wait(1))["verifier"]

    try:
        return asyncio.run(work())
    finally:
        database.close()


def test_a_worker_trains_what_the_run_puts_into_the_folder(example, tmp_path):
    queue = tmp_path / "queue"

    async def sleep(seconds):
        example.work_once(queue)

    row = run_job(tmp_path, sleep, lose_answer=True)
    assert (row.status, row.model) == ("SUCCEEDED", f"small-{row.suffix}")
    assert row.events == ({"level": "info", "message": "Read 2 examples."},)
    assert len(list(queue.glob("jobs/*"))) == 1
    assert (queue / "files" / row.file_name).read_bytes() == DATASET.content


def test_a_job_that_nobody_takes_is_cancelled(example, tmp_path):
    async def sleep(seconds):
        await asyncio.sleep(0)

    options = JobOptions(on_failure="skip", deadline_s=0.02)
    with pytest.warns(UserWarning, match="keeps its model"):
        row = run_job(tmp_path, sleep, options=options)
    assert (row.status, row.model) == ("CANCELLED", None)


def test_the_worker_of_the_page_is_a_program(example, tmp_path):
    command = [sys.executable, str(SOURCE), str(tmp_path / "queue")]
    worker = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        row = run_job(tmp_path, asyncio.sleep)
        assert row.status == "SUCCEEDED"
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.communicate()


def test_a_missing_folder_is_told_before_anything_is_paid_for(example, monkeypatch):
    monkeypatch.delenv("TRAINING_QUEUE")
    with pytest.raises(ParameterError, match="TRAINING_QUEUE must name an existing folder, got ''"):
        check_fine_tuning_access("queue_folder", MODEL)


def test_the_page_names_what_the_example_registers(example):
    page = (DOC / "guides" / "new_fine_tuning_backend.md").read_text()
    assert "fine_tuning.backend=queue_folder" in page
    assert fine_tuning_backend_registry.get("queue_folder") is example.QueueFolderBackend
