"""Run a job in this process, or in several that ``accelerate launch`` starts."""

import os
import subprocess
import sys
import threading
from pathlib import Path

from nip.language_models.local_training.job_folder import JobFolder, JobStatus
from nip.language_models.local_training.processes import choose_device
from nip.language_models.local_training.training import run_job


def run_or_launch(job: JobFolder) -> None:
    """Train a job to its end, in as many processes as it asks for."""
    options = job.request().options
    if options["num_processes"] == 1:
        run_job(job)
        return
    command = launch_command(job, options["num_processes"], choose_device(options["device"]))
    # The processes end when this one does, because the pipe to them is closed then.
    with subprocess.Popen(command, stdin=subprocess.PIPE, cwd=Path.cwd()) as process:
        code = process.wait()
    if code and not job.status.is_final:
        job.status = JobStatus(
            "failed", f"accelerate launch ended with the code {code}: {job.output_tail().strip()}"
        )


def launch_command(job: JobFolder, num_processes: int, device: str) -> list[str]:
    """Return the command that trains a job in several processes on ``cpu`` or ``cuda``."""
    return [
        *(sys.executable, "-m", "accelerate.commands.launch"),
        *("--num_processes", str(num_processes), "--num_machines", "1"),
        *("--mixed_precision", "no", "--dynamo_backend", "no"),
        "--cpu" if device == "cpu" else "--multi_gpu",
        *("-m", "nip.language_models.local_training.launch", str(job.path)),
    ]


def _end_with_standard_input() -> None:
    """End this process when its standard input is closed, from a thread of its own."""
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_standard_input, daemon=True).start()
    run_job(JobFolder(Path(sys.argv[1])))
