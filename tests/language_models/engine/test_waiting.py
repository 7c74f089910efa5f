"""Long waits for a service are announced and noted, until it answers."""

from datetime import datetime

import pytest

from nip.errors import NipWarning
from nip.language_models.engine.waiting import ServiceWait, ServiceWaits
from nip.language_models.errors import ModelConnectionError


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def noted() -> list[tuple[str, ServiceWait | None]]:
    return []


def seconds(wait: ServiceWait) -> float:
    since, until = map(datetime.fromisoformat, (wait.since, wait.until))
    return (until - since).total_seconds()


def test_a_long_wait_is_noted_until_the_next_answer(noted) -> None:
    waits = ServiceWaits("m", 3600, Clock(), lambda *note: noted.append(note))
    waits.check(29, "too short to be noted")
    waits.note_answer()
    assert noted == []
    with pytest.warns(NipWarning, match="the run waits for 90 s"):
        waits.check(90, "Rate limit.")
    ((name, wait),) = noted
    assert (name, wait.reason, seconds(wait)) == ("m", "Rate limit.", 90)
    waits.note_answer()
    waits.note_answer()
    assert noted[1:] == [("m", None)]


def test_an_outage_is_noted_from_its_beginning_to_its_end(noted) -> None:
    clock = Clock()
    waits = ServiceWaits("m", 3600, clock, lambda *note: noted.append(note))
    error = ModelConnectionError("no route")
    waits.note_unreachable(error, 1)
    clock.now = 40.0
    with pytest.warns(NipWarning, match="is unreachable"):
        waits.note_unreachable(error, 3)
    ((_, wait),) = noted
    # It ends an hour after it began, not after it was noticed.
    assert seconds(wait) == pytest.approx(3600, abs=1)
    with pytest.warns(NipWarning, match="reachable again"):
        waits.note_answer()
    assert noted[1:] == [("m", None)]
