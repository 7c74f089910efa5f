"""Waits for services, stored in a run for those who look at it meanwhile."""

from nip.language_models.engine.waiting import ServiceWait
from nip.run_store import Run
from nip.run_store.database.bill import WAITS_KEY


def note_wait(run: Run, what: str, wait: ServiceWait | None) -> None:
    """Store that a run waits for a model or a request; None if the wait is over."""
    waits = run.get_state(WAITS_KEY, {})
    kept = {name: each for name, each in waits.items() if name != what}
    run.set_state(WAITS_KEY, kept if wait is None else {**kept, what: wait.to_dict()})


def forget_waits(run: Run) -> None:
    """Delete the waits of a process that has ended meanwhile."""
    if run.get_state(WAITS_KEY):
        run.set_state(WAITS_KEY, {})
