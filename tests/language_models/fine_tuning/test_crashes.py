"""A process is killed between any two steps, and another one resumes the jobs."""

import contextlib
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nip.errors import NipWarning
from nip.language_models.errors import ModelTimeoutError
from nip.language_models.fine_tuning import FineTuningError, JobOptions
from tests.language_models.fine_tuning.fake_service import (
    BASE_MODEL,
    FakeService,
    KillError,
    Process,
)

STATUSES = ["PLANNED", "UPLOADED", "CREATING", "CREATED", "RUNNING", "SUCCEEDED"]
FATES = {
    "success": [("queued", "running", "succeeded")],
    "failure_then_success": [("running", "failed"), ("running", "succeeded")],
}
OPTIONS = JobOptions(on_failure="retry", num_retries=1)


def run_with_kills(folder, service, kills, groups=("verifier",)):
    """Run processes that are killed in turn; return the result of the last, which is not."""
    for kill_at in kills:
        with Process(folder, service, OPTIONS, kill_at, groups) as process:
            try:
                process.run()
            except KillError:
                continue
    with Process(folder, service, OPTIONS, None, groups) as process:
        return process.run()


def num_steps(folder, service):
    with Process(folder, service, OPTIONS) as process:
        process.run()
    return process.steps.done


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.filterwarnings("ignore:Fine-tuning of group")
def test_a_kill_at_any_step_creates_no_second_file_or_job(tmp_path, fate):
    folder = tmp_path / "straight"
    folder.mkdir()
    count = num_steps(folder, FakeService(FATES[fate]))
    num_jobs = len(FATES[fate])
    # Six saves and five calls at least, each with a step before and after.
    assert count >= 22
    for kill_at in range(count):
        folder, service = tmp_path / str(kill_at), FakeService(FATES[fate])
        folder.mkdir()
        (row,) = run_with_kills(folder, service, [kill_at]).values()
        assert (len(service.files), len(service.jobs)) == (1, num_jobs), kill_at
        assert row.model == f"ft:{BASE_MODEL}:{num_jobs}"
        assert (row.attempt, row.trained_tokens) == (num_jobs - 1, 2_000_000)
        assert len(row.events) == 1


@settings(max_examples=25, deadline=None)
@given(kills=st.lists(st.integers(0, 40), max_size=6), fate=st.sampled_from(sorted(FATES)))
@pytest.mark.filterwarnings("ignore:Fine-tuning of group")
def test_many_kills_one_after_the_other_do_no_more_harm(tmp_path_factory, kills, fate):
    service = FakeService(FATES[fate])
    rows = run_with_kills(tmp_path_factory.mktemp("run"), service, kills)
    assert (len(service.files), len(service.jobs)) == (1, len(FATES[fate]))
    assert rows["verifier"].status == "SUCCEEDED"


@settings(max_examples=10, deadline=None)
@given(kills=st.lists(st.integers(0, 80), max_size=4))
def test_each_of_several_groups_gets_one_file_and_one_job(tmp_path_factory, kills):
    service = FakeService()
    groups = ("a", "b", "c")
    rows = run_with_kills(tmp_path_factory.mktemp("run"), service, kills, groups)
    assert (len(service.files), len(service.jobs)) == (3, 3)
    assert sorted(job["request"].metadata["nip_group"] for job in service.jobs) == list(groups)
    assert {row.status for row in rows.values()} == {"SUCCEEDED"}


@pytest.mark.parametrize("kill_at", range(24))
def test_a_job_that_is_to_stop_the_run_stops_it_in_spite_of_a_kill(tmp_path, kill_at):
    """Only a run that really stopped gets another attempt when it is resumed."""
    service = FakeService([("running", "failed")])
    stop = JobOptions(on_failure="stop")
    with Process(tmp_path, service, stop, kill_at) as process:
        with contextlib.suppress(KillError, FineTuningError):
            process.run()
        has_stopped = any(row.has_stopped_run for row in process.database.jobs.all())
    service.fates = [("running", "failed")] * 2
    with Process(tmp_path, service, stop) as process, warnings.catch_warnings():
        warnings.simplefilter("ignore", NipWarning)
        with pytest.raises(FineTuningError):
            process.run()
    assert len(service.jobs) == (2 if has_stopped else 1)


@pytest.mark.parametrize("status", STATUSES)
def test_a_kill_after_each_status_resumes_from_it(tmp_path, status):
    service = FakeService([("queued", "running", "succeeded")])
    with Process(tmp_path, service) as process:
        process.store.kill_after = status
        with pytest.raises(KillError):
            process.run()
    calls_before = list(service.calls)
    assert len(service.jobs) == (STATUSES.index(status) >= STATUSES.index("CREATED"))
    with Process(tmp_path, service) as process:
        (row,) = process.run().values()
    later = service.calls[len(calls_before) :]
    assert row.status == "SUCCEEDED"
    assert ("upload" in later) is (status == "PLANNED")
    assert ("create_job" in later) is (status in STATUSES[:3])
    # Who finds CREATING cannot know whether the job was made; who finds UPLOADED can.
    assert ("find_job" in later) is (status == "CREATING")
    assert (later == []) is (status == "SUCCEEDED")


def test_a_job_that_appears_in_the_lists_after_the_restart_is_found(tmp_path):
    service = FakeService()
    service.is_slow_to_list = 2
    # Steps: PLANNED 0-1, upload 2-3, UPLOADED 4-5, CREATING 6-7, create_job 8-9.
    run_with_kills(tmp_path, service, [9])
    assert service.calls.count("create_job") == len(service.jobs) == 1


def test_an_error_after_a_restart_is_followed_by_another_search(tmp_path):
    service = FakeService()
    service.fail("find_job", ModelTimeoutError("slow"))
    run_with_kills(tmp_path, service, [9])
    assert service.calls.count("create_job") == len(service.jobs) == 1
    assert service.calls.count("find_job") == 2
