"""Jobs are polled until they have ended, through transient errors and late names."""

import dataclasses

import pytest

from nip.errors import NipWarning
from nip.language_models.costs.prices import Price, Prices
from nip.language_models.errors import (
    AuthenticationError,
    OverloadError,
    RateLimitError,
    ServiceUnavailableError,
    UnknownModelError,
)
from nip.language_models.fine_tuning.backend import RemoteJob
from nip.language_models.fine_tuning.idempotent_creation import PollingPolicy
from nip.language_models.fine_tuning.waiting import wait_for_end
from nip.run_store import FineTuningJobRow
from tests.language_models.virtual_time import now, run

ROW = FineTuningJobRow(
    key="key",
    iteration=0,
    model_group="verifier",
    attempt=0,
    status="CREATED",
    backend="fake",
    base_model="base",
    method="supervised",
    hyper_params={},
    seed=1,
    suffix="suffix",
    dataset_path="path",
    dataset_sha256="sha",
    num_examples=10,
    file_name="name",
    job_id="job",
)
DONE = RemoteJob("job", "succeeded", "ft:new", 2_000_000)


class FakeBackend:
    """Returns or raises the given outcomes, one per poll."""

    is_free = False

    def __init__(self, *outcomes, events=()) -> None:
        self._outcomes = list(outcomes)
        self._events = events

    async def get_job(self, job_id):
        outcome = self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def list_events(self, job_id):
        if isinstance(self._events, Exception):
            raise self._events
        return list(self._events)


def wait(*outcomes, deadline_s: float = 1000.0, row=ROW, prices=None, **more):
    """Return the final row, the statuses that were saved, and the elapsed seconds."""
    saved = []

    def save(changed):
        saved.append(changed.status)
        return changed

    async def work():
        polling = PollingPolicy(10.0, now=now)
        own = Prices({"base": Price(1.0, 1.0, training=3.0)})
        backend = FakeBackend(*outcomes, **more)
        ended = await wait_for_end(row, backend, polling, deadline_s, save, prices or own)
        return ended, now()

    ended, seconds = run(work())
    return ended, saved, seconds


def test_the_result_is_stored_once_and_priced() -> None:
    running = RemoteJob("job", "running")
    row, saved, seconds = wait(running, running, DONE, events=[{"message": "done"}])
    assert saved == ["RUNNING", "SUCCEEDED"]
    # Two million tokens at three dollars each; the second pause is one and a half of the first.
    assert (row.model, row.cost) == ("ft:new", 6.0)
    assert row.events == ({"message": "done"},) and seconds == pytest.approx(10 + 15)


@pytest.mark.parametrize(
    ("backend", "base_model", "cost"),
    [
        # Two million tokens at OpenAI's 3 dollars per million, also from a fine-tuned model.
        ("openai", "gpt-4o-mini-2024-07-18", 6.0),
        ("openai", "ft:gpt-4o-mini-2024-07-18:org::abc", 6.0),
        ("queue_folder", "gpt-4o-mini-2024-07-18", None),
    ],
)
def test_a_backend_of_ones_own_is_not_charged_the_prices_of_openai(
    backend: str, base_model: str, cost: float | None
) -> None:
    row = dataclasses.replace(ROW, backend=backend, base_model=base_model)
    assert wait(DONE, row=row, prices=Prices())[0].cost == cost


def test_transient_errors_are_ignored_and_others_raised() -> None:
    row, _, _ = wait(OverloadError("busy"), OverloadError("busy"), DONE)
    assert row.status == "SUCCEEDED"
    with pytest.raises(AuthenticationError):
        wait(AuthenticationError("key"))


def test_a_job_unknown_to_the_service_has_failed() -> None:
    row, _, _ = wait(UnknownModelError("gone"))
    assert row.status == "FAILED" and "does not exist at the service" in row.error


def test_a_succeeded_job_without_a_model_is_polled_again() -> None:
    row, saved, _ = wait(RemoteJob("job", "succeeded"), DONE)
    assert row.model == "ft:new" and saved == ["RUNNING", "SUCCEEDED"]


def test_nothing_is_returned_at_the_deadline() -> None:
    row, _, seconds = wait(RemoteJob("job", "running"), deadline_s=100.0)
    assert row is None and seconds == pytest.approx(100.0)


def test_a_paused_job_is_reported_once() -> None:
    paused = RemoteJob("job", "paused")
    with pytest.warns(NipWarning, match="has paused the fine-tuning job job") as caught:
        wait(paused, paused, paused, DONE)
    assert len(caught) == 1


def test_missing_events_are_reported_and_do_not_stop_the_run() -> None:
    with pytest.warns(NipWarning, match="The run continues without them"):
        row, _, _ = wait(DONE, events=AuthenticationError("key"))
    assert row.status == "SUCCEEDED" and row.events == ()


def test_a_single_refusal_amid_successful_polls_is_not_the_end() -> None:
    running, refused = RemoteJob("job", "running"), AuthenticationError("a proxy says 403")
    row, *_ = wait(running, refused, refused, running, refused, DONE)
    assert row.status == "SUCCEEDED"
    with pytest.raises(AuthenticationError):
        wait(running, refused, refused, refused, DONE)
    with pytest.raises(AuthenticationError):
        wait(refused, DONE)


def test_the_wait_that_the_service_asks_for_is_kept_and_announced() -> None:
    with pytest.warns(NipWarning, match="the run waits for 100 s, until .*: slow down"):
        row, _, seconds = wait(RateLimitError("slow down", retry_after=100.0), DONE)
    assert row.status == "SUCCEEDED" and seconds == pytest.approx(100.0)


def test_a_wait_of_hours_stops_the_run() -> None:
    with pytest.raises(ServiceUnavailableError, match=r"a wait of 2\.0 h"):
        wait(RateLimitError("limit per day", retry_after=7200.0), DONE, deadline_s=1e6)
