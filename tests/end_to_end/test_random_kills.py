"""Runs that are killed or stopped at random moments lose nothing, and pay for nothing twice.

The moments are spread over the duration of a run that nothing disturbs. A disturbed run goes on
until it is completed; then the next one begins. ``make test-slow`` has 500 kills and 100 stops.
"""

import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.everything_on import SETTINGS, everything_on
from tests.end_to_end.test_resume import assert_same_run, left_behind
from tests.end_to_end.test_signals import RUN, text_start
from tests.end_to_end.test_text_resume import check_jobs, num_repeated
from tests.end_to_end.text_runs import Endpoint, endpoint, everything, num_received
from tests.experiments import make_settings
from tests.fork_server import KILLED, fork_server

RESUMABLE = 75
EXPERIMENT = "everything-ppo"

few_and_many = pytest.mark.parametrize(
    ("number", "count", "seed"),
    [
        pytest.param(signal.SIGKILL, 3, 0, id="3 kills", marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, 1, 1, id="1 stop"),
        *(
            pytest.param(signal.SIGKILL, 25, seed, id=f"kills {seed}", marks=pytest.mark.slow)
            for seed in range(2, 12)
        ),
        *(
            pytest.param(signal.SIGTERM, 25, seed, id=f"stops {seed}", marks=pytest.mark.slow)
            for seed in (12, 13)
        ),
    ],
)


@dataclass
class Disturbance:
    """Interrupts runs at random moments."""

    number: int
    """The signal."""

    count: int
    """Number of interruptions that are still to come."""

    duration: float
    """Seconds that a run takes which nothing disturbs."""

    generator: random.Random
    codes: set[int] = field(default_factory=set)
    """Exit codes of the interrupted processes."""

    def run(self, start: dict[str, Any]) -> bool:
        """Start or resume a run, and interrupt it; return whether it was completed before."""
        fork = fork_server().start(RUN, start)
        seconds = self.generator.uniform(0, self.duration) if self.count else 250
        ending = fork.wait(seconds)
        if ending is None:
            os.kill(fork.pid, self.number)
            ending = fork.wait(60)
            assert ending is not None
        if ending.exit_code == 0:
            return True
        self.count -= 1
        self.codes.add(ending.exit_code)
        # A process that has not begun yet does not handle the signal.
        expected = {KILLED} if self.number == signal.SIGKILL else {RESUMABLE, -self.number}
        assert ending.exit_code in expected, ending.stderr
        assert "Traceback" not in ending.stderr
        return False


def duration_of(start: dict[str, Any]) -> float:
    """Run to the end; return the seconds that it took."""
    # The interpreter from which it is forked is not part of it.
    fork_server().call("json:dumps", None)
    begun = time.monotonic()
    ending = fork_server().call(RUN, start)
    assert ending.exit_code == 0, ending.stderr
    return time.monotonic() - begun


@few_and_many
def test_a_training_loses_no_number(
    number: int, count: int, seed: int, tmp_path: Path, data_dir: Path
) -> None:
    def start(folder: Path) -> dict[str, Any]:
        settings = make_settings(folder, data_dir, checkpoint_period=1, **SETTINGS)
        return {"parameters": everything_on()[EXPERIMENT], "settings": settings.to_dict()}

    whole = tmp_path / "whole"
    generator = random.Random(seed)
    disturbance = Disturbance(number, count, duration_of(start(whole)), generator)
    for folder in folders(tmp_path):
        while not disturbance.run(start(folder)):
            pass
        assert_same_run(whole, folder)
        assert left_behind(folder) == left_behind(whole)
        if disturbance.count == 0:
            break


@few_and_many
def test_a_run_of_language_models_pays_for_nothing_twice(
    number: int, count: int, seed: int, tmp_path: Path
) -> None:
    whole = tmp_path / "whole"
    with slow_endpoint() as service:
        disturbance = Disturbance(
            number, count, duration_of(text_start(whole, service)), random.Random(seed)
        )
    for folder in folders(tmp_path):
        with slow_endpoint() as service:
            num_lost = run_to_the_end(disturbance, folder, service)
            counters = service.counters()
        assert everything(folder) == everything(whole)
        check_jobs(counters)
        # Only what was under way when the process was killed is asked for again.
        assert num_repeated(counters) <= num_lost
        if disturbance.count == 0:
            break
    if number == signal.SIGTERM:
        assert RESUMABLE in disturbance.codes


slow_endpoint = partial(endpoint, "--latency", "0.02")


def run_to_the_end(disturbance: Disturbance, folder: Path, service: Endpoint) -> int:
    """Run until the run is completed; return how many answers were lost by kills."""
    num_lost = 0
    while not disturbance.run(text_start(folder, service)):
        if disturbance.number == signal.SIGKILL:
            # Answers that were under way come in while nobody listens any more.
            time.sleep(0.1)
            num_lost += len(service.counters()["generations"]) - num_received(folder)
    return num_lost


def folders(parent: Path) -> Iterator[Path]:
    """Yield new folders, and delete each when the next is asked for."""
    number = 0
    while True:
        folder = parent / f"disturbed {number}"
        yield folder
        shutil.rmtree(folder)
        number += 1
