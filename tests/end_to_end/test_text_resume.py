"""A run of language models that is killed at any moment resumes to the same result."""

import random
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.text_runs import (
    KILLED,
    Outcome,
    Start,
    endpoint,
    everything,
    num_received,
    parameters,
    run_and_kill_after,
    run_groups,
)

STAGES_OF_THE_RUN = 2 * 5 + 3
NO_KILL = "never"

KILLS = {
    **{
        f"after stage {number}": (
            f"die_at_call(PureTextRlTrainer, '_run_stage', {number}, after=True)"
        )
        for number in (1, 2, 3, 4, 5, STAGES_OF_THE_RUN)
    },
    "with metrics logged, but not their stage": "die_at_call(Run, 'log', 1, after=True)",
    "at the first message": "die_at_call(RunJournal, 'put', 1, after=True)",
    "in the middle of the dialogues": "die_at_call(RunJournal, 'put', 30, after=True)",
    "late in the dialogues": "die_at_call(RunJournal, 'put', 100, after=True)",
    "before the end of a stage is noted": "die_at_call(Run, 'set_state', 30)",
    "when a rollout is stored": "die_at_call(RolloutTable, 'add', 5, after=True)",
    "before a rollout is stored": "die_at_call(RolloutTable, 'add', 5)",
    "in the test": "die_at_call(RunJournal, 'put', 60, after=True)",
    "with a job planned": "die_when_job_is_saved('PLANNED', 1)",
    "before the upload is noted": "die_when_job_is_saved('UPLOADED', 1, after=False)",
    "between upload and job": "die_when_job_is_saved('UPLOADED', 2)",
    "before the endpoint has the job": "die_when_job_is_saved('CREATING', 1)",
    "when the endpoint has the job": "die_when_awaited(OpenAIBackend, 'create_job', 1, after=True)",
    "with one of two jobs made": "die_when_job_is_saved('CREATED', 1)",
    "while waiting": "die_when_awaited(OpenAIBackend, 'get_job', 3)",
    "when a job is over": "die_when_job_is_saved('SUCCEEDED', 1)",
}

RARE = {
    *(f"after stage {number}" for number in (1, 3, 4, 5)),
    "with metrics logged, but not their stage",
    "at the first message",
    "late in the dialogues",
    "before the end of a stage is noted",
    "before a rollout is stored",
    "in the test",
    "with a job planned",
    "before the upload is noted",
    "with one of two jobs made",
    "while waiting",
}
"""Moments that resemble others: these runs are left to the slow tests."""


@dataclass(frozen=True)
class Ending:
    """Result of a run that was killed once."""

    outcomes: list[Outcome]
    """Of the start that was to be killed, and of the one after it."""

    left: dict[str, Any]
    """Everything that the run has stored."""


class Endings:
    """Runs that are killed once, each made when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._endings: dict[str, Ending] = {}

    def __getitem__(self, kill: str) -> Ending:
        if kill not in self._endings:
            runs_dir = self._folder / str(len(self._endings))
            # One call at a time: when a run is killed after an answer, no other is under way.
            to_kill = Start(runs_dir, parameters(), KILLS.get(kill, ""), max_concurrency=1)
            starts = [to_kill, Start(runs_dir, parameters())]
            (outcomes,) = run_groups([starts if kill in KILLS else starts[1:]])
            self._endings[kill] = Ending(outcomes, everything(runs_dir))
        return self._endings[kill]


@pytest.fixture(scope="module")
def endings(tmp_path_factory: pytest.TempPathFactory) -> Endings:
    """Return runs of the experiment, without a kill, and with each of them."""
    return Endings(tmp_path_factory.mktemp("runs"))


each_kill = pytest.mark.parametrize(
    "kill", [pytest.param(kill, marks=[pytest.mark.slow] * (kill in RARE)) for kill in KILLS]
)


@each_kill
def test_a_killed_run_ends_like_one_that_was_not(kill: str, endings: Endings) -> None:
    assert [outcome.exit_code for outcome in endings[kill].outcomes] == [KILLED, 0]
    assert endings[kill].left == endings[NO_KILL].left


def test_an_undisturbed_run_pays_for_nothing_twice(endings: Endings) -> None:
    check_payments(endings[NO_KILL])


@each_kill
def test_nothing_is_paid_for_twice(kill: str, endings: Endings) -> None:
    check_payments(endings[kill])


def check_payments(ending: Ending) -> None:
    """Every answer was given once, and every job made once."""
    counters = ending.outcomes[-1].counters
    assert set(counters["generations"].values()) == {1}
    check_jobs(counters)


def test_only_answers_under_way_are_asked_for_again(endings: Endings, tmp_path: Path) -> None:
    kill = "die_at_call(RunJournal, 'put', 40, after=True)"
    with endpoint() as service:
        start = Start(tmp_path, parameters(service.address))
        assert run_and_kill_after(replace(start, preparation=kill), seconds=60) is False
        num_lost = service.counters()["num_generations"] - num_received(tmp_path)
        assert run_and_kill_after(start, seconds=60)
        counters = service.counters()
    assert everything(tmp_path) == endings[NO_KILL].left
    assert num_repeated(counters) <= num_lost
    check_jobs(counters)


@pytest.mark.slow
@pytest.mark.parametrize("series", range(10))
def test_a_run_survives_kills_at_random_times(
    series: int, endings: Endings, tmp_path: Path
) -> None:
    """Kill each of ten runs at least five times, at any moment, and let it come to its end."""
    generator = random.Random(series)
    num_kills = num_lost = 0
    with endpoint("--latency", "0.02") as service:
        start = Start(tmp_path, parameters(service.address), max_concurrency=4)
        while num_kills < 7 and not run_and_kill_after(start, generator.uniform(0.05, 0.6)):
            num_kills += 1
            # Answers that were under way come in while nobody listens any more.
            time.sleep(0.1)
            num_lost += len(service.counters()["generations"]) - num_received(tmp_path)
        assert num_kills >= 5
        assert run_and_kill_after(start, seconds=60)
        counters = service.counters()
    assert everything(tmp_path) == endings[NO_KILL].left
    assert num_repeated(counters) <= num_lost
    check_jobs(counters)


def num_repeated(counters: dict[str, Any]) -> int:
    """Count the answers that had been given before."""
    return sum(count - 1 for count in counters["generations"].values())


def check_jobs(counters: dict[str, Any]) -> None:
    """Two models were fine-tuned twice: four files and four jobs, each made once."""
    keys = [count for name, count in counters["jobs"].items() if name.startswith("nip_key=")]
    assert keys == [1] * 4 == list(counters["uploads"].values())
    assert counters["num_jobs"] == 4
