"""Real executors start the processes of cells, let them save, and put them into the queue again."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nip.errors import ParameterError, UnknownNameError
from nip.sweeps.launcher import Job, Launcher, Task, launcher_registry

# Ends with the code in its argument. "save": waits for SIGTERM, saves, and asks to be resumed; a
# process that finds what was saved ends with 0.
PROGRAM = """
import pathlib, signal, sys, time
saved, what = pathlib.Path("saved"), sys.argv[1]
if what != "save" or saved.exists():
    print("done in", pathlib.Path.cwd().name)
    sys.exit(0 if what == "save" else int(what))
def save(*_):
    saved.touch()
    sys.exit(75)
signal.signal(signal.SIGTERM, save)
pathlib.Path("ready").touch()
while True:
    time.sleep(0.01)
"""
SECONDS = 40


def task(folder: Path, what: str) -> Task:
    words = (sys.executable, "-c", PROGRAM, what)
    return Task("a", words, folder, folder / "log")


def wait_until(is_true: Callable[[], object]) -> None:
    for _ in range(SECONDS * 20):
        if is_true():
            return
        time.sleep(0.05)
    raise TimeoutError


def code_of(job: Job) -> int:
    wait_until(lambda: job.exit_code() is not None)
    code = job.exit_code()
    assert code is not None
    return code


def is_ready(folder: Path) -> bool:
    return (folder / "ready").exists()


@pytest.fixture(params=["processes", "submitit"])
def launcher(request: pytest.FixtureRequest, tmp_path: Path) -> Launcher:
    if request.param == "submitit":
        pytest.importorskip("submitit", reason="submitit is not installed (extra submitit)")
    return launcher_registry.get(request.param)({}, tmp_path / "jobs")


def test_a_cell_runs_in_its_folder_and_its_exit_code_comes_back(
    launcher: Launcher, tmp_path: Path
) -> None:
    jobs = [launcher.start(task(tmp_path, code)) for code in ("0", "2")]
    assert [code_of(job) for job in jobs] == [0, 2]
    assert (tmp_path / "log").read_text() == f"done in {tmp_path.name}\n" * 2


def test_a_stopped_cell_saves_and_the_next_process_resumes(
    launcher: Launcher, tmp_path: Path
) -> None:
    job = launcher.start(task(tmp_path, "save"))
    wait_until(lambda: is_ready(tmp_path))
    job.stop()
    assert code_of(job) == 75
    assert code_of(launcher.start(task(tmp_path, "save"))) == 0


def test_submitit_saves_and_requeues_a_preempted_job(tmp_path: Path) -> None:
    pytest.importorskip("submitit", reason="submitit is not installed (extra submitit)")
    launcher = launcher_registry.get("submitit")({}, tmp_path / "jobs")
    job = launcher.start(task(tmp_path, "save"))
    wait_until(lambda: is_ready(tmp_path))
    # As Slurm does before a time limit; submitit on this machine has a process around it.
    around = job.job._process.pid
    (pid,) = Path(f"/proc/{around}/task/{around}/children").read_text().split()
    os.kill(int(pid), signal.SIGUSR2)
    assert code_of(job) == 0
    assert (tmp_path / "saved").exists()


@pytest.mark.slow
def test_ray_runs_stops_and_resumes_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="ray is not installed (extra ray)")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    launcher = launcher_registry.get("ray")({"num_cpus": 1}, tmp_path)
    try:
        assert [code_of(launcher.start(task(tmp_path, code))) for code in ("0", "2")] == [0, 2]
        job = launcher.start(task(tmp_path, "save"))
        wait_until(lambda: is_ready(tmp_path))
        job.stop()
        assert code_of(job) == 75
        assert (tmp_path / "saved").exists()
        assert code_of(launcher.start(task(tmp_path, "save"))) == 0
    finally:
        launcher.close()


# What the launcher uses of Slurm, as programs that keep a queue in a folder. A job that is put
# into the queue again runs once more.
SLURM = {
    "sbatch": """
cat "$1" > $QUEUE/7.sh
printf PENDING > $QUEUE/7
(while :; do
   printf RUNNING > $QUEUE/7
   SLURM_JOB_ID=7 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NODEID=0 SLURM_NTASKS=1 \
     SLURM_JOB_NUM_NODES=1 bash $QUEUE/7.sh
   [ -e $QUEUE/requeued ] || break
   rm $QUEUE/requeued
 done
 printf COMPLETED > $QUEUE/7) >/dev/null 2>&1 &
echo Submitted batch job 7
""",
    "srun": """
while [ "${1#-}" != "$1" ]; do if [ "$1" = --output ] || [ "$1" = --error ]; then shift; fi; shift
done
"$@" & echo $! > $QUEUE/pid; wait $!
""",
    "sacct": """
echo 'JobID|State|NodeList'
[ -e $QUEUE/7 ] && echo "7|$(cat $QUEUE/7)|here"
""",
    "scontrol": "touch $QUEUE/requeued",
    "scancel": "",
}


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Put the stand-ins of Slurm's programs first on the path; return the folder of their queue."""
    programs, queue = tmp_path / "programs", tmp_path / "queue"
    for folder in (programs, queue):
        folder.mkdir()
    for name, text in SLURM.items():
        path = programs / name
        path.write_text(f"#!/bin/bash\nexport QUEUE={queue}\n{text}")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    yield queue
    if (queue / "pid").exists():
        subprocess.run(["kill", (queue / "pid").read_text().strip()], check=False)


def test_a_slurm_job_is_submitted_found_again_preempted_and_resumed(
    queue: Path, tmp_path: Path
) -> None:
    pytest.importorskip("submitit", reason="submitit is not installed (extra submitit)")
    options = {"slurm_partition": "gpu", "timeout_min": 60, "gpus_per_node": 1}
    launcher = launcher_registry.get("slurm")(options, tmp_path / "jobs")
    launcher.start(task(tmp_path, "save"))
    script = (queue / "7.sh").read_text()
    for line in ("--partition=gpu", "--time=60", "--gpus-per-node=1", "--signal=USR2@90"):
        assert f"#SBATCH {line}\n" in script
    wait_until(lambda: is_ready(tmp_path))
    # The sweep was killed, and is started again.
    job = launcher_registry.get("slurm")(options, tmp_path / "jobs").find("a")
    assert job is not None
    assert job.exit_code() is None
    os.kill(int((queue / "pid").read_text()), signal.SIGUSR2)
    wait_until(lambda: (queue / "7").read_text() == "COMPLETED")
    assert (tmp_path / "saved").exists()
    assert code_of(job) == 0
    assert launcher.find("a") is None


def test_unknown_launchers_and_options_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'processes'"):
        launcher_registry.get("process")
    with pytest.raises(ParameterError, match="has no option 'partition'"):
        launcher_registry.get("processes")({"partition": "gpu"}, tmp_path)
    pytest.importorskip("submitit", reason="submitit is not installed (extra submitit)")
    with pytest.raises(ParameterError, match="launcher_options are refused by submitit"):
        launcher_registry.get("submitit")({"timeout": 3}, tmp_path)
    with pytest.raises(ParameterError, match="launcher=slurm cannot be used on this machine"):
        launcher_registry.get("slurm")({}, tmp_path)
