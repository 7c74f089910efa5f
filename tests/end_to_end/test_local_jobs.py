"""Runs with local models and jobs end with the same weights, bit for bit, wherever they are killed.

Everything is real: two tiny models of different sizes, their dialogues, and jobs that train all of
their weights, in processes of their own.
"""

import random
import signal
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("peft", reason="the extra lm-local is missing")

from tests.end_to_end.local_child import AGENT
from tests.fork_server import KILLED, fork_server

RESUMABLE = 75
NEVER: dict[str, Any] = {"starts": [{}]}

AT_LOOK = "die_when_awaited(LocalBackend, 'get_job', 4)"
KILLS: dict[str, list[dict[str, Any]]] = {
    "a job, twice, and the experiment while it waits": [
        {"fatal": [2, 5], "preparation": AT_LOOK},
        {"fatal": [2, 5]},
    ],
    "between the creation of a job and its note": [
        {"preparation": "die_when_awaited(LocalBackend, 'create_job', 1, after=True)"},
        {},
    ],
    "when a job is over": [{"preparation": "die_when_job_is_saved('SUCCEEDED', 1)"}, {}],
    "when the second round is planned": [
        {"preparation": "die_when_job_is_saved('PLANNED', 3)"},
        {},
    ],
}
"""Moments at which the process is killed; afterwards the run is started again."""

CHEAP = "a job, twice, and the experiment while it waits"


def run_cases(folder: Path, cases: dict[str, Any]) -> dict[str, Any]:
    ending = fork_server().call(
        "tests.end_to_end.local_child:run_cases", {"folder": str(folder), "cases": cases}
    )
    assert ending.exit_code == 0, ending.stderr
    assert all(case["left"] for case in ending.result.values()), ending.stderr
    return dict(ending.result)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("local")


@pytest.fixture(scope="module")
def outcomes(folder: Path) -> dict[str, Any]:
    """Run what the cheap tests compare, one after the other."""
    return run_cases(folder, {"never": NEVER, CHEAP: {"starts": KILLS[CHEAP]}})


def jobs_of(left: dict[str, Any]) -> list[tuple[int, str, str]]:
    """Return iteration, group and status of the jobs."""
    return sorted((row[1], row[2], row[4]) for row in left["rows"]["jobs"])


def num_updates(left: dict[str, Any]) -> int:
    return sum(len(updates) for updates in left["updates"].values())


def check_same(left: dict[str, Any], expected: dict[str, Any]) -> None:
    assert left["rows"]["jobs"] == expected["rows"]["jobs"]
    for name in ("files", "metrics", "rows", "folders"):
        assert left[name] == expected[name], name


def test_models_of_different_sizes_are_trained_in_one_command(outcomes: dict[str, Any]) -> None:
    assert outcomes["never"]["codes"] == [0]
    left = outcomes["never"]["left"]
    groups = ("prover", "verifier")
    assert jobs_of(left) == [(i, group, "SUCCEEDED") for i in (1, 2) for group in groups]
    # Four models; of each group only the last optimizer is kept, and no checkpoint.
    assert len([name for name in left["files"] if "/model/" in name]) == 4
    assert len([name for name in left["files"] if "/optimizer/" in name]) == 2
    assert len({*left["files"].values()}) == 6
    assert left["folders"] == []


@pytest.mark.slow
def test_a_shared_group_trains_one_model(folder: Path, outcomes: dict[str, Any]) -> None:
    shared = {**AGENT, "shared_model_group": "all", "model_name": f"{folder}/models/prover"}
    changes = {
        "agents": {"prover": shared, "verifier": shared},
        "rl": {"num_iterations": 2, "rollouts_per_iteration": 8},
    }
    cases = run_cases(folder, {"shared": {"starts": [{}], "changes": changes}})
    left = cases["shared"]["left"]
    assert jobs_of(left) == [(1, "all", "SUCCEEDED")]
    assert len([name for name in left["files"] if "/model/" in name]) == 1


def check_killed(case: dict[str, Any], never: dict[str, Any], code: int = KILLED) -> None:
    assert case["codes"] == [code, 0]
    check_same(case["left"], never["left"])
    # A checkpoint is written after each update, so that none is made twice.
    assert case["left"]["updates"] == never["left"]["updates"]


def test_a_killed_run_ends_with_the_same_weights_and_repeats_no_update(
    outcomes: dict[str, Any],
) -> None:
    check_killed(outcomes[CHEAP], outcomes["never"])


@pytest.mark.slow
def test_it_does_so_wherever_it_was_killed(folder: Path, outcomes: dict[str, Any]) -> None:
    cases = {name: {"starts": starts} for name, starts in KILLS.items() if name != CHEAP}
    for case in run_cases(folder, cases).values():
        check_killed(case, outcomes["never"])


@pytest.mark.slow
def test_a_run_that_was_asked_to_stop_while_it_waits_goes_on(
    folder: Path, outcomes: dict[str, Any]
) -> None:
    starts = [{"preparation": "stop_when_awaited(LocalBackend, 'get_job', 4)"}, {}]
    case = run_cases(folder, {"stopped": {"starts": starts}})["stopped"]
    check_killed(case, outcomes["never"], RESUMABLE)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_it_survives_kills_at_random_times(
    seed: int, folder: Path, outcomes: dict[str, Any]
) -> None:
    generator = random.Random(seed)
    number = signal.SIGTERM if seed % 2 else signal.SIGKILL
    starts: list[dict[str, Any]] = [
        {
            "seconds": generator.uniform(0.2, 2.0),
            "signal": number,
            "fatal": [generator.randint(1, 8)],
        }
        for _ in range(5)
    ]
    case = run_cases(folder, {f"random {seed}": {"starts": [*starts, {}, {}]}})[f"random {seed}"]
    assert case["codes"][-1] == 0
    check_same(case["left"], outcomes["never"]["left"])
    assert num_updates(case["left"]) == num_updates(outcomes["never"]["left"])
