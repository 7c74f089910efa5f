"""The status of a job follows from polls and elapsed time."""

import pytest

from nip.language_models.server.job_record import NUM_PAUSED_POLLS, JobRecord


def record(**more) -> JobRecord:
    values = {
        "number": 1,
        "request": {},
        "created_at": 100.0,
        "fine_tuned_model": "ft:m",
        "trained_tokens": 1,
        "num_steps": 1,
        "num_polls": 4,
        "num_seconds": 0.0,
    }
    return JobRecord(**{**values, **more})


def statuses(job: JobRecord, num_polls: int) -> list[str]:
    """Poll a job, and return its status after each poll."""
    seen = []
    for _ in range(num_polls):
        job.poll()
        if (status := job.next_status(100.0)) != job.status:
            job.enter(status, 100.0)
        seen.append(job.status)
    return seen


def test_polls_move_a_job_through_its_statuses() -> None:
    assert statuses(record(), 5) == ["queued", "running", "running", "succeeded", "succeeded"]
    assert statuses(record(fate="failed"), 4)[-2:] == ["running", "failed"]


def test_a_job_needs_both_its_polls_and_its_time() -> None:
    job = record(num_polls=2, num_seconds=10.0, polls=2)
    assert job.next_status(100.0) == "validating_files"
    assert job.next_status(104.0) == "queued"
    assert job.next_status(105.0) == "running"
    assert job.next_status(110.0) == "succeeded"
    job.polls = 1
    assert job.next_status(999.0) == "running"


def test_a_pausing_job_resumes_after_its_paused_polls() -> None:
    seen = statuses(record(fate="paused", num_polls=2), 3 + NUM_PAUSED_POLLS)
    assert seen == ["paused"] * (1 + NUM_PAUSED_POLLS) + ["running", "succeeded"]


def test_a_job_paused_by_a_client_stays_paused() -> None:
    assert statuses(record(status="paused", is_held=True), 9) == ["paused"] * 9


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
def test_a_final_status_is_kept_and_dated(status: str) -> None:
    job = record(polls=9)
    job.enter(status, 123.0)
    assert job.is_over and job.finished_at == 123.0 and job.next_status(999.0) == status
    assert job.events[-1]["level"] == ("error" if status == "failed" else "info")
