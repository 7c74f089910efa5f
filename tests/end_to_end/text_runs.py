"""Running text experiments in processes of their own against an endpoint in another."""

import json
import re
import sqlite3
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fork_server import KILLED, fork_server

RUN = "tests.end_to_end.text_child:run"
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
        with urllib.request.urlopen(f"{self.address}/admin/counters", timeout=60) as answer:
            return json.load(answer)


@contextmanager
def endpoint(*arguments: str) -> Iterator[Endpoint]:
    """Serve code validation until the end of the `with` statement."""
    options = ["--port", "0", "--brain-file", str(RULES), *arguments]
    server = fork_server().start("nip.language_models.server.__main__:main", options)
    try:
        while (found := re.search(r"http://[\d.]+:\d+", server.output())) is None:
            assert server.wait(0.005) is None, server.output("stderr")
        yield Endpoint(found[0])
    finally:
        server.kill()


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


def run_groups(groups: Sequence[Sequence[Start]], *, hash_seed: int = 0) -> list[list[Outcome]]:
    """Run experiments one after the other, each in a process of its own.

    Each group of starts has an endpoint of its own, in a process that outlives those that it
    serves; in the parameters, `ADDRESS` stands for where it listens.
    """
    outcomes = []
    for group in groups:
        with endpoint() as service:
            outcomes.append([run_at(service, start, hash_seed) for start in group])
    return outcomes


def run_at(service: Endpoint, start: Start, hash_seed: int) -> Outcome:
    """Run an experiment with an endpoint; return how it ended."""
    work = json.loads(json.dumps(start.to_dict()).replace(ADDRESS, service.address))
    ending = fork_server(hash_seed).call(RUN, work)
    assert ending.exit_code in (0, KILLED), ending.stderr
    return Outcome(ending.exit_code, service.counters())


def run_and_kill_after(start: Start, seconds: float) -> bool:
    """Run an experiment, and kill it after a while; return whether it ended well before."""
    fork = fork_server().start(RUN, start.to_dict())
    ending = fork.wait(seconds) or fork.kill()
    assert ending.exit_code in (0, KILLED), ending.stderr
    return ending.exit_code == 0


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
    result = json.loads((folder / "result.json").read_text())
    # Requests that failed, or were under way when the run was killed, are paid for as well.
    result = {name: result[name] for name in result if name not in ("bill", "cost", "tokens")}
    return {**rows, "files": files, "result": result}


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
