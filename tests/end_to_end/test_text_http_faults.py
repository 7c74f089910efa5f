"""Faults, keys and budgets with a service in a process of its own, reached over the network."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nip.language_models.errors import BudgetExceededError
from nip.parameters import HyperParameters
from tests.command_line_process import run_command_line
from tests.end_to_end.rehearsals import records, result_of, run_quietly
from tests.end_to_end.text_runs import Endpoint, endpoint
from tests.text_experiments import make_text_params

SEEDS = iter(range(10_000))
"""Each test asks questions that the endpoint has not been asked before, so that all are new."""


@pytest.fixture(scope="module")
def service() -> Iterator[Endpoint]:
    with endpoint("--retry-after", "0.05") as started:
        yield started


def switch(service: Endpoint, *faults: str) -> None:
    """Have the endpoint show faults, and no others."""
    request = urllib.request.Request(
        f"{service.address}/admin/faults",
        json.dumps({"faults": faults}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert len(json.load(answer)["faults"]) == len(faults)


def one_iteration(service: Endpoint, **changes: Any) -> HyperParameters:
    """Return eight rollouts of a priced model at an endpoint."""
    return make_text_params(
        agents={"_default": {"base_url": f"{service.address}/v1"}},
        rl={"num_iterations": 1, "rollouts_per_iteration": 8},
        text_rl={"test_scheme": "none"},
        **changes,
    )


def left_by(runs_dir: Path) -> dict[str, Any]:
    """Return what must not depend on faults."""
    return {
        "records": records(runs_dir),
        "result": result_of(runs_dir),
        "transcripts": {
            path.name: path.read_bytes() for path in (runs_dir / "run" / "transcripts").iterdir()
        },
    }


@pytest.mark.parametrize(
    "fault",
    [
        "cut_connection?rate=1&first=2",
        "timeout?rate=1&first=2",
        "malformed_json?rate=1&first=2",
        "rate_limit?rate=1&first=2",
        "server_error?rate=1&first=2",
    ],
)
def test_a_fault_that_passes_changes_nothing(fault: str, tmp_path: Path, service: Endpoint) -> None:
    seed = next(SEEDS)
    left = []
    for name, faults in (("with", [fault]), ("without", [])):
        switch(service, *faults)
        params = one_iteration(service, seed=seed)
        run_quietly(params, tmp_path / name, api_timeout_s=0.5)
        left.append(left_by(tmp_path / name))
    assert left[0] == left[1]
    assert service.counters()["faults"][fault.partition("?")[0]] == 2


def test_a_budget_stops_the_run_which_goes_on_with_a_larger_one(
    tmp_path: Path, service: Endpoint
) -> None:
    switch(service)
    params = one_iteration(service, seed=next(SEEDS))
    earlier = service.counters()["generations"]
    # OpenAI's prices do not apply at the address of another service.
    own = tmp_path / "prices.yaml"
    own.write_text("gpt-4o-mini: {prompt: 0.15, completion: 0.60, training: 3.00}")
    run_quietly(params, tmp_path / "rich", prices=str(own))
    counted = service.counters()
    tokens = [
        sum(
            message.get(f"{kind}_tokens", 0)
            for record in records(tmp_path / "rich")
            for message in record["messages"]
        )
        for kind in ("prompt", "completion")
    ]
    cost = (0.15 * tokens[0] + 0.60 * tokens[1]) / 1e6
    with pytest.raises(BudgetExceededError, match=r"max_cost"):
        run_quietly(
            params, tmp_path / "poor", max_cost=cost / 3, max_concurrency=1, prices=str(own)
        )
    spent = service.counters()
    assert result_of(tmp_path / "poor")["status"] == "failed"
    num_asked = spent["num_requests"] - counted["num_requests"]
    assert 0 < num_asked < counted["num_requests"] / 2
    run_quietly(params, tmp_path / "poor", max_cost=2 * cost, prices=str(own))
    assert left_by(tmp_path / "poor") == left_by(tmp_path / "rich")
    generations = service.counters()["generations"]
    assert {generations[digest] for digest in generations.keys() - earlier.keys()} == {2}


def test_the_command_line_tells_what_stopped_it_and_goes_on_afterwards(
    tmp_path: Path, service: Endpoint
) -> None:
    command = [
        "experiment=cv_nip_ei_rehearsal",
        "agents._default.use_dummy_api=false",
        f"agents._default.base_url={service.address}/v1",
        "agents._default.api_key_variable=OPENAI_API_KEY",
        "rl.num_iterations=1",
        "rl.rollouts_per_iteration=4",
        "text_rl.test_scheme=none",
        f"seed={next(SEEDS)}",
        "run_id=run",
        "settings.runs_dir=.",
    ]
    key = "sk-a-key-that-nobody-may-see"
    switch(service, "authentication?rate=1")
    stopped = run_command_line(command, tmp_path, OPENAI_API_KEY=key)
    assert stopped.exit_code == 2
    assert "Check the key in the environment variable OPENAI_API_KEY" in stopped.stderr
    assert stopped.stderr.count("error:") == 1
    assert "Traceback" not in stopped.stderr + stopped.stdout
    assert key not in stopped.stderr + stopped.stdout
    assert "torch" not in stopped.heavy_imports
    switch(service)
    assert run_command_line(command, tmp_path, OPENAI_API_KEY=key).exit_code == 0
    assert result_of(tmp_path)["status"] == "completed"
    assert len(records(tmp_path)) == 4
