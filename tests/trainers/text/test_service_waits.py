"""A run has what it waits for, as long as it does."""

from pathlib import Path

from nip.language_models.engine.waiting import ServiceWait
from nip.run_store import Run
from nip.run_store.database.bill import WAITS_KEY
from nip.trainers.text.service_waits import forget_waits, note_wait
from tests.text_experiments import text_settings


def test_waits_are_stored_by_name_until_they_are_over(tmp_path: Path) -> None:
    wait = ServiceWait("2026-11-30T08:00:00", "2026-11-30T09:00:00", "busy")
    with Run.open(text_settings(tmp_path), "r", {}) as run:
        for name in ("a", "b"):
            note_wait(run, name, wait)
        note_wait(run, "a", None)
        assert run.get_state(WAITS_KEY) == {"b": wait.to_dict()}
        forget_waits(run)
        assert run.get_state(WAITS_KEY) == {}
