"""All cells of a sweep together spend at most its budget, on the side of the services."""

import json
from pathlib import Path

import pytest

from nip.language_models.costs.shared_budget import SharedBudget
from nip.language_models.server.state import EndpointState
from nip.parameters.tree.yaml_text import dump
from tests.fork_server import Fork, fork_server
from tests.sweeps.disturbed import kill, run_folders
from tests.sweeps.fork_launcher import RUN, pids_of_cells

# A call of a verifier or a prover costs about 3 cents, of which its prompt takes most.
PRICES = {"prompt": 50.0, "completion": 80.0, "training": 60.0}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Write a sweep of five runs with ten calls at once each, which cost more than a dollar."""
    prices = dict.fromkeys(("gpt-4o-mini", "ft:gpt-4o-mini"), PRICES)
    (tmp_path / "prices.yaml").write_text(dump(prices))
    sweep = {
        "base": {
            "experiment": "cv_nip_ei_rehearsal",
            "rl.num_iterations": 1,
            "rl.rollouts_per_iteration": 30,
            "rehearsal.latency_s": 0.05,
            "settings.prices": "prices.yaml",
            "settings.progress": False,
            "settings.max_concurrency": 10,
            "settings.max_failed_share": 1.0,
            "settings.max_invalid_share": 1.0,
        },
        "seeds": [1, 2, 3, 4, 5],
        "launcher": "forks",
        "workers": 5,
        "max_cost": 1.0,
    }
    path = tmp_path / "s.yaml"
    path.write_text(dump(sweep))
    return path


def start(file: Path, *changes: str) -> Fork:
    server = fork_server(with_torch=False)
    return server.start(RUN, file.name, *changes, folder=file.parent)


def spent_at_the_services(folder: Path) -> float:
    """Return the dollars for all that the services have generated, whoever received it."""
    return sum(map(_billed, run_folders(folder)))


def _billed(run: Path) -> float:
    if not (run / "endpoint.db").exists():
        return 0.0
    state = EndpointState(str(run / "endpoint.db"))
    try:
        billed = state.counters.read(len(state.jobs)).billed
    finally:
        state.close()
    kinds = {"prompt": "prompt_tokens", "completion": "completion_tokens"}
    return sum(PRICES[name] * billed.get(kind, 0) for name, kind in kinds.items()) / 1e6


@pytest.mark.slow
def test_fifty_calls_at_once_in_five_processes_cost_at_most_a_dollar(file: Path) -> None:
    ending = start(file).wait(200)
    assert ending is not None
    assert ending.exit_code == 2, ending.stdout + ending.stderr
    assert "max_cost of the sweep is $1" in ending.stdout
    spent = spent_at_the_services(file.parent)
    assert 0.8 < spent <= 1.0
    results = [json.loads((run / "result.json").read_text()) for run in run_folders(file.parent)]
    assert len(results) == 5
    # Nothing was killed: each dollar is in the books of some run.
    assert sum(result["cost"] for result in results) == pytest.approx(spent)
    assert SharedBudget.read(file.parent / "runs/s.sweep/budget.json").claimed <= 1.0


@pytest.mark.slow
def test_killed_sweeps_spend_no_more_and_a_larger_budget_continues_them(file: Path) -> None:
    sweep_folder = file.parent / "runs" / "s.sweep"
    fork = start(file)
    while spent_at_the_services(file.parent) < 0.3:
        assert fork.wait(0.1) is None
    fork.kill()
    kill(*pids_of_cells(sweep_folder))
    ending = start(file).wait(200)
    assert ending is not None and ending.exit_code == 2, ending
    assert spent_at_the_services(file.parent) <= 1.0
    ending = start(file, "max_cost=1000").wait(250)
    assert ending is not None and ending.exit_code == 0, ending
    assert spent_at_the_services(file.parent) > 1.0
    claimed = SharedBudget.read(sweep_folder / "budget.json").claimed
    assert spent_at_the_services(file.parent) <= claimed * (1 + 1e-9)
