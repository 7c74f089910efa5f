"""A fine-tuning backend that writes its jobs to a folder, from which a worker reads them.

A job is a folder, named by its key:

    queue/jobs/nip-8c31.../request.json   what is to be trained
    queue/jobs/nip-8c31.../status.json    {"status": "running"}, later {"status": "succeeded",
                                          "model": "...", "trained_tokens": 1234}

The folder ``queue`` is that of the environment variable TRAINING_QUEUE. Run as a script, this file
is a worker that takes jobs and "trains" by giving the old model a new name.
"""

import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nip.errors import ParameterError
from nip.language_models.chat import ModelSpec
from nip.language_models.errors import BadRequestError, UnknownModelError
from nip.language_models.fine_tuning import (
    FineTuningBackend,
    JobRequest,
    RemoteJob,
    register_fine_tuning_backend,
)
from nip.language_models.provider_registry import ConnectionContext
from nip.utils.files import write_atomically


@register_fine_tuning_backend("queue_folder")
class QueueFolderBackend(FineTuningBackend):
    """Backend that stores jobs and files in a folder, from which a worker reads them."""

    min_examples = 1

    def __init__(self, model: ModelSpec, context: ConnectionContext) -> None:
        self.check_access(model, context)
        queue = Path(os.environ["TRAINING_QUEUE"])
        self.files, self.jobs = queue / "files", queue / "jobs"
        for folder in (self.files, self.jobs):
            folder.mkdir(exist_ok=True)

    @classmethod
    def check_access(cls, model: ModelSpec, context: ConnectionContext) -> None:  # noqa: ARG003
        """Check that the folder exists."""
        queue = os.environ.get("TRAINING_QUEUE", "")
        if not queue or not Path(queue).is_dir():
            raise ParameterError(
                f"The environment variable TRAINING_QUEUE must name an existing folder, got "
                f"{queue!r}. Make it, and start a worker that watches it."
            )

    async def upload(self, content: bytes, name: str) -> str:
        """Write a dataset to the folder, atomically."""
        write_atomically(self.files / name, content)
        return name

    async def find_file(self, name: str) -> str | None:
        """Look up a dataset."""
        return name if (self.files / name).exists() else None

    async def create_job(self, request: JobRequest) -> RemoteJob:
        """Write a job to the folder; the request last, so that workers only see complete jobs."""
        folder = self.jobs / request.key
        folder.mkdir(exist_ok=True)
        write_atomically(folder / "status.json", json.dumps({"status": "queued"}))
        write_atomically(folder / "request.json", json.dumps(asdict(request)))
        return await self.get_job(request.key)

    async def find_job(self, key: str) -> RemoteJob | None:
        """Look up a job that may have been created before a crash."""
        is_there = (self.jobs / key / "request.json").exists()
        return await self.get_job(key) if is_there else None

    async def get_job(self, job_id: str) -> RemoteJob:
        """Read the status of a job."""
        path = self.jobs / job_id / "status.json"
        if not path.exists():
            raise UnknownModelError(f"There is no job {job_id} in {self.jobs}.")
        return RemoteJob(job_id, **json.loads(path.read_text()))

    async def cancel_job(self, job_id: str) -> RemoteJob:
        """Ask the worker to cancel a job."""
        if (await self.get_job(job_id)).status in ("succeeded", "failed"):
            raise BadRequestError(f"The job {job_id} has ended already.")
        path = self.jobs / job_id / "status.json"
        write_atomically(path, json.dumps({"status": "cancelled"}))
        return await self.get_job(job_id)

    async def list_events(self, job_id: str) -> list[dict[str, Any]]:
        """Read the events of the worker, one JSON object per line."""
        path = self.jobs / job_id / "events.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]


def work_once(queue: Path) -> None:
    """Run all waiting jobs. Replace the body with your training."""
    for path in sorted(queue.glob("jobs/*/request.json")):
        status = path.with_name("status.json")
        if json.loads(status.read_text())["status"] != "queued":
            continue
        request = json.loads(path.read_text())
        examples = (queue / "files" / request["training_file_id"]).read_text().splitlines()
        event = {"level": "info", "message": f"Read {len(examples)} examples."}
        path.with_name("events.jsonl").write_text(json.dumps(event) + "\n")
        result = {
            "status": "succeeded",
            "model": f"{request['base_model']}-{request['suffix']}",
            "trained_tokens": sum(len(example.split()) for example in examples),
        }
        write_atomically(status, json.dumps(result))


if __name__ == "__main__":
    while True:
        work_once(Path(sys.argv[1]))
        time.sleep(1.0)
