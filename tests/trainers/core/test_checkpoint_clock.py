"""How often checkpoints are saved."""

import pytest

from nip.trainers.core import checkpoint_clock
from nip.trainers.core.checkpoint_clock import CheckpointClock


class FakeTime:
    """A clock that a test sets."""

    now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def time(monkeypatch) -> FakeTime:
    fake = FakeTime()
    monkeypatch.setattr(checkpoint_clock, "time", fake)
    return fake


def test_with_a_period_it_is_due_every_so_many_iterations():
    clock = CheckpointClock(period=3)
    assert [clock.is_due(done) for done in range(1, 8)] == [False, False, True] * 2 + [False]


def test_without_a_period_it_costs_a_twentieth_of_the_time(time):
    clock = CheckpointClock(period=None)
    assert clock.is_due(1)
    time.now += 2
    clock.record(started=time.now - 2)
    # Saving took two seconds: the next is due forty seconds later.
    time.now += 39.9
    assert not clock.is_due(2)
    time.now += 0.2
    assert clock.is_due(3)
