"""Running text experiments in processes of their own against an endpoint in another."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KILLED = -signal.SIGKILL
CHILD = Path(__file__).with_name("text_child.py")
RULES = Path(__file__).parents[2] / "nip" / "scenarios" / "code_validation" / "rehearsal_rules.yaml"
ADDRESS = "http://endpoint"
NUM_ITERATIONS = 3
NUM_ROLLOUTS = 12


@dataclass(frozen=True)
class Endpoint:
    """An endpoint that runs in a process of its own."""

    address: str
    """Where it listens, without a path."""

    def counters(self) -> dict[str, Any]:
        """Ask what it has done so far."""
        with urllib.request.urlopen(f"{self.address}/admin/counters", timeout=10) as answer:
            return json.load(answer)


@contextmanager
def endpoint(*arguments: str) -> Iterator[Endpoint]:
    """Serve code validation until the end of the `with` statement."""
    command = [sys.executable, "-m", "nip.language_models.server", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--brain-file", str(RULES), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = next(line for line in process.stdout if "http://" in line)
        found = re.search(r"http://[\d.]+:\d+", line)
        assert found is not None, line
        yield Endpoint(found[0])
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


def parameters(address: str = ADDRESS, **changes: Any) -> dict[str, Any]:
    """Return a small experiment with two models and two fine-tunings for each, as plain data."""
    return {
        "scenario": "code_validation",
        "dataset": "test",
        "trainer": "pure_text_ei",
        "interaction_protocol": "nip",
        "agents": {"_default": {"base_url": f"{address}/v1"}},
        "rl": {"num_iterations": NUM_ITERATIONS, "rollouts_per_iteration": NUM_ROLLOUTS},
        "nip_protocol": {"max_message_rounds": 4},
        # Always enough examples for a job.
        "pure_text_ei": {
            "rollout_selection_method": "weighted_sampling",
            "weighting_sample_size_factor": 1.0,
        },
        "text_rl": {"test_scheme": "first_and_last"},
        **changes,
    }


@dataclass(frozen=True)
class Start:
    """One start of an experiment in a fresh process."""

    runs_dir: Path
    """Folder of its run, which is named ``run``."""

    parameters: dict[str, Any]
    """The hyper-parameters as plain data."""

    preparation: str = ""
    """Code that runs before, with the functions of ``text_child.py``."""

    max_concurrency: int = 100
    """Requests that may be under way at once."""

    def to_dict(self) -> dict[str, Any]:
        """Write it for the child."""
        settings = {
            "runs_dir": str(self.runs_dir),
            "progress": False,
            "poll_seconds": 0.02,
            "max_concurrency": self.max_concurrency,
        }
        return {
            "parameters": self.parameters,
            "settings": settings,
            "preparation": self.preparation,
        }


@dataclass(frozen=True)
class Outcome:
    """How one start of an experiment ended."""

    exit_code: int
    """`KILLED` if it was killed."""

    counters: dict[str, Any]
    """What the endpoint had done by then."""


def run_groups(groups: Sequence[Sequence[Start]], **environment: str) -> list[list[Outcome]]:
    """Run experiments one after the other, each in a process of its own.

    Each group of starts has an endpoint of its own, in a process that outlives those that it
    serves; in the parameters, `ADDRESS` stands for where it listens.
    """
    child = subprocess.run(
        [sys.executable, CHILD],
        input=json.dumps([[start.to_dict() for start in group] for group in groups]),
        capture_output=True,
        text=True,
        check=False,
        timeout=290,
        env={**os.environ, **environment},
    )
    assert child.returncode == 0, child.stderr
    outcomes = [
        [Outcome(**outcome) for outcome in json.loads(line)] for line in child.stdout.splitlines()
    ]
    codes = {outcome.exit_code for group in outcomes for outcome in group}
    assert codes <= {0, KILLED}, child.stderr
    return outcomes


def run_and_kill_after(start: Start, seconds: float) -> bool:
    """Run an experiment, and kill it after a while; return whether it ended well before."""
    child = subprocess.Popen(
        [sys.executable, CHILD, "--single"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None and child.stdout is not None and child.stderr is not None
    child.stdin.write(json.dumps(start.to_dict()))
    child.stdin.close()
    # The imports are over when the child says so: the kill is to meet the run, not them.
    assert child.stdout.readline() == "ready\n", child.stderr.read()
    try:
        code = child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        code = child.wait(30)
    errors = child.stderr.read()
    child.stdout.close()
    child.stderr.close()
    assert code in (0, KILLED), errors
    return code == 0


def everything(runs_dir: Path) -> dict[str, Any]:
    """Return all that a run has left and that must not depend on how often it was killed."""
    folder = runs_dir / "run"
    with sqlite3.connect(folder / "run.db") as database:
        tables = {
            "metrics": "SELECT iteration, name, value FROM metrics ORDER BY iteration, name",
            "rollouts": (
                "SELECT phase, iteration, position, record FROM rollouts "
                "ORDER BY phase, iteration, position"
            ),
            "jobs": (
                "SELECT key, iteration, model_group, attempt, status, model, num_examples "
                "FROM fine_tuning_jobs ORDER BY key"
            ),
            "journal": "SELECT key FROM journal",
        }
        rows = {name: database.execute(query).fetchall() for name, query in tables.items()}
    database.close()
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for part in ("fine_tuning", "transcripts")
        for path in sorted((folder / part).iterdir())
    }
    return {**rows, "files": files, "result": json.loads((folder / "result.json").read_text())}


def num_received(runs_dir: Path) -> int:
    """Count the answers that a run had in safety when it was killed."""
    path = runs_dir / "run" / "run.db"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
        if not {"journal", "rollouts"} <= tables:
            return 0
        (num_journalled,) = database.execute("SELECT count(*) FROM journal").fetchone()
        records = [json.loads(row[0]) for row in database.execute("SELECT record FROM rollouts")]
    messages = [message for record in records for message in record["messages"]]
    return num_journalled + sum(1 + message.get("num_retries", 0) for message in messages)
