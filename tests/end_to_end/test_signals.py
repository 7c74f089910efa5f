"""Signals of batch systems: what can be saved is saved, and the exit code says: go on."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from nip.run_store import read_history
from tests.command_line_process import RUN_SCRIPT, start_command_line
from tests.end_to_end.test_resume import last_checkpoint
from tests.end_to_end.text_runs import Endpoint, endpoint, everything, parameters
from tests.experiments import make_params, make_settings
from tests.fork_server import REPOSITORY, SCRIPT, Ending, Fork, fork_server
from tests.forked_ranks import run_on_ranks

RUN = "tests.end_to_end.signals_child:run"
LONG = [
    *("scenario=toy", "dataset=witness", "trainer=vanilla_ppo", "run_id=long"),
    *("rl.num_iterations=100000", "rl.frames_per_batch=32", "rl.minibatch_size=16"),
    *("settings.checkpoint_period=100000", "settings.runs_dir=."),
]


def send_when(fork: Fork, is_time: Any, *signals: int) -> Ending:
    """Send signals when it is time, and wait for the end."""
    try:
        while not is_time():
            assert fork.wait(0.01) is None, fork.output("stderr")
        for number in signals:
            os.kill(fork.pid, number)
        ending = fork.wait(60)
    finally:
        fork.kill()
    assert ending is not None
    assert "Traceback" not in ending.stderr
    return ending


def has_iterations(folder: Path) -> bool:
    """Return whether a run has completed some iterations, which it writes to a table."""
    path = folder / "metrics.csv"
    return path.exists() and path.read_text().count("\n") > 5


@pytest.mark.parametrize(
    ("name", "code"),
    [("SIGTERM", 75), ("SIGHUP", 75), ("SIGUSR1", 75), ("SIGXCPU", 75), ("SIGINT", 130)],
)
def test_a_training_is_saved_up_to_the_iteration_under_way(
    name: str, code: int, tmp_path: Path
) -> None:
    fork = start_command_line([*LONG, "callbacks=[csv]"], tmp_path, imports_matter=False)
    # A signal that is repeated is not taken for impatience, except Ctrl-C.
    number = getattr(signal, name)
    signals = [number] if name == "SIGINT" else [number, number]
    ending = send_when(fork, lambda: has_iterations(tmp_path / "long"), *signals)
    assert ending.exit_code == code
    shown = "Ctrl-C" if name == "SIGINT" else name
    assert f"{shown}: stopping after this iteration, which is saved." in ending.stderr
    assert ending.stderr.count("give the same command again with run_id=long") == 1
    # It had no checkpoint before.
    checkpoint = next(iter((tmp_path / "long" / "checkpoints").glob("iteration_*")))
    saved = int(checkpoint.name.removeprefix("iteration_"))
    assert saved == read_history(tmp_path / "long").last_iteration > 4
    assert not (tmp_path / "long" / "result.json").exists()


def test_nohup_is_respected(tmp_path: Path) -> None:
    command = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", sys.executable, str(SCRIPT)]
    arguments = [each.replace("100000", "3") for each in LONG]
    with subprocess.Popen(
        [*command, *arguments], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as process:
        while not caught_signals(process.pid) >> (signal.SIGTERM - 1) & 1:
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGHUP)
        _, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr


def caught_signals(pid: int) -> int:
    """Return the mask of signals for which a process has handlers."""
    found = re.search(r"SigCgt:\s*([0-9a-f]+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1], 16) if found else 0


@pytest.mark.parametrize(
    ("script", "number", "code"),
    [
        ("run_experiment.py", signal.SIGINT, 130),
        *(
            (path.name, signal.SIGTERM, 75)
            for path in sorted((REPOSITORY / "scripts").glob("*.py"))
        ),
    ],
)
def test_a_signal_during_the_imports_needs_no_traceback(
    script: str, number: int, code: int, tmp_path: Path
) -> None:
    arguments = {"run_experiment.py": LONG}.get(script, ["anything"])
    with subprocess.Popen(
        [sys.executable, str(REPOSITORY / "scripts" / script), *arguments],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        # pytest may have been started in the background, by a shell that then ignores Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        while not caught_signals(process.pid) >> (signal.SIGTERM - 1) & 1:
            assert process.poll() is None
            time.sleep(0.001)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == code
    assert re.fullmatch(r"\n(Stopped|Interrupted)[^\n]*\.\n", stderr)
    assert stdout == ""
    assert not list(tmp_path.iterdir())


def test_a_second_ctrl_c_ends_at_once_and_the_run_can_go_on(tmp_path: Path) -> None:
    start = tensor_start(tmp_path, rl={"num_iterations": 3})
    fork = fork_server().start(RUN, {**start, "sleeps": True})

    def is_asleep() -> bool:
        return "asleep" in fork.output()

    while not is_asleep():
        assert fork.wait(0.01) is None, fork.output("stderr")
    os.kill(fork.pid, signal.SIGINT)
    ending = send_when(fork, lambda: "stopping after this" in fork.output("stderr"), signal.SIGINT)
    assert ending.exit_code == 130
    assert ending.stderr.endswith("\nStopped. Go on.\n")
    assert last_iteration(tmp_path) == 1


def tensor_start(folder: Path, **changes: Any) -> dict[str, Any]:
    settings = make_settings(folder, checkpoint_period=1).to_dict()
    return {"parameters": make_params(**changes).to_dict(), "settings": settings}


def last_iteration(folder: Path) -> int:
    return last_checkpoint(folder).iteration


def test_when_one_rank_is_stopped_all_stop_after_the_same_iteration(tmp_path: Path) -> None:
    start = tensor_start(tmp_path, rl={"num_iterations": 50})
    (endings,) = run_on_ranks(("tests.end_to_end.signals_child:stop_one_rank", start))
    assert [ending.result for ending in endings] == [[2, "stopped by SIGTERM"]] * 2
    assert last_iteration(tmp_path) == 2


def text_start(folder: Path, service: Endpoint) -> dict[str, Any]:
    settings = {
        "runs_dir": str(folder),
        "progress": False,
        "poll_seconds": 0.02,
        "max_concurrency": 8,
    }
    return {"parameters": parameters(service.address), "settings": settings}


def test_answers_under_way_are_awaited_and_nothing_is_paid_for_twice(tmp_path: Path) -> None:
    with endpoint("--latency", "0.1") as service:
        start = text_start(tmp_path / "stopped", service)
        fork = fork_server().start(RUN, start)
        ending = send_when(
            fork, lambda: service.counters()["num_requests"] > 12, signal.SIGTERM, signal.SIGTERM
        )
        assert ending.exit_code == 75
        assert "answers under way are paid for" in ending.stderr
        assert fork_server().call(RUN, start).exit_code == 0
        assert set(service.counters()["generations"].values()) == {1}
    with endpoint() as service:
        whole = text_start(tmp_path / "whole", service)
        assert fork_server().call(RUN, whole).exit_code == 0
    assert everything(tmp_path / "stopped") == everything(tmp_path / "whole")


def test_an_analysis_that_is_stopped_says_how_to_go_on(tmp_path: Path) -> None:
    with endpoint("--latency", "0.2") as service:
        start = text_start(tmp_path, service)
        assert fork_server().call(RUN, start).exit_code == 0
        before = service.counters()["num_requests"]
        script = str(REPOSITORY / "scripts" / "run_analysers.py")
        arguments = ["run", "--runs-dir", str(tmp_path), "--base-url", f"{service.address}/v1"]
        arguments += ["--max-concurrency", "2"]
        environment = {**os.environ, "OPENAI_API_KEY": "none"}
        fork = fork_server().start(RUN_SCRIPT, script, *arguments, environment=environment)
        ending = send_when(
            fork, lambda: service.counters()["num_requests"] > before + 3, signal.SIGTERM
        )
        assert ending.exit_code == 75
        assert "Run the same command again to resume." in ending.stderr
        assert service.counters()["num_requests"] < before + 12
        assert set(service.counters()["generations"].values()) == {1}
