"""The worker of fine-tuning jobs counts, saves and ends them; no client and no server is needed."""

from collections.abc import Iterator
from typing import Any

import pytest

from nip.language_models.server.endpoint import Endpoint, EndpointOptions
from nip.language_models.server.errors import ApiError
from nip.language_models.server.job_record import JobRecord
from nip.language_models.server.job_worker import JobWorker
from nip.language_models.server.jobs import read_job_request
from tests.language_models.server.training_data import supervised


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    opened = Endpoint(EndpointOptions(job_polls=2, job_seconds=30.0))
    yield opened
    opened.close()


def open_job(
    endpoint: Endpoint,
    fault: str | None = None,
    *,
    content: bytes | None = None,
    **hyper_parameters: Any,
) -> JobRecord:
    file = endpoint.state.files.add("t.jsonl", "fine-tune", content or supervised())
    method = {"type": "supervised", "supervised": {"hyperparameters": hyper_parameters}}
    body = {"model": "m", "training_file": file.id, "method": method}
    return JobWorker(endpoint).open(read_job_request(body), file, fault)


def finish(endpoint: Endpoint, job: JobRecord) -> JobRecord:
    """Let the time of a job pass, and poll it as often as it wants."""
    job.created_at -= 1000
    for _ in range(job.num_polls):
        JobWorker(endpoint).poll(job)
    return job


def stored(endpoint: Endpoint, job: JobRecord) -> JobRecord | None:
    return endpoint.state.jobs.get(job.id)


def test_the_last_batch_of_all_epochs_may_be_smaller(endpoint: Endpoint) -> None:
    job = open_job(endpoint, n_epochs=3, batch_size=4)
    # Ten examples thrice are 30, which is 7 batches of 4 and one of 2.
    assert job.num_steps == 8
    # Each example has 3 + 3 + 4 tokens; the size of the batches does not change the price.
    assert job.trained_tokens == 3 * 10 * (3 + 3 + 4)


def test_a_slow_job_wants_ten_times_the_polls_and_the_time(endpoint: Endpoint) -> None:
    usual, slow = open_job(endpoint), open_job(endpoint, "job_slow")
    assert (usual.num_polls, usual.num_seconds) == (2, 30.0)
    assert (slow.num_polls, slow.num_seconds) == (20, 300.0)


def test_a_wrong_file_is_the_reason_even_if_the_job_was_to_fail_anyway(endpoint: Endpoint) -> None:
    job = open_job(endpoint, "job_failed", content=b"no json\n")
    assert (job.fate, job.error["code"]) == ("failed", "invalid_training_file")
    assert job.trained_tokens == 0
    assert open_job(endpoint, "job_failed").error["code"] == "server_error"


def test_each_step_of_a_job_is_saved(endpoint: Endpoint) -> None:
    worker, job = JobWorker(endpoint), open_job(endpoint)
    assert stored(endpoint, job) == job
    # The second poll changes no status, only the count.
    for polls in (1, 2):
        worker.poll(job)
        assert job.polls == polls and stored(endpoint, job) == job
    worker.pause(job)
    assert (job.status, job.is_held) == ("paused", True) and stored(endpoint, job) == job
    worker.resume(job)
    assert not job.is_held and stored(endpoint, job) == job
    finish(endpoint, job)
    assert job.status == "succeeded" and stored(endpoint, job) == job


def test_a_finished_job_is_neither_counted_nor_changed(endpoint: Endpoint) -> None:
    worker, job = JobWorker(endpoint), finish(endpoint, open_job(endpoint))
    polls, events = job.polls, list(job.events)
    assert worker.poll(job) is job
    for act, word in ((worker.cancel, "cancelled"), (worker.pause, "paused")):
        with pytest.raises(ApiError, match=f"cannot be {word}: it has already succeeded"):
            act(job)
    with pytest.raises(ApiError, match="its status is succeeded, not paused"):
        worker.resume(job)
    assert (job.polls, job.events, job.status) == (polls, events, "succeeded")


def test_a_file_deleted_before_training_makes_the_job_fail(endpoint: Endpoint) -> None:
    job = open_job(endpoint)
    file = endpoint.state.files.get(job.request["training_file"])
    assert file is not None
    endpoint.state.files.delete(file)
    finish(endpoint, job)
    assert (job.status, job.error["code"]) == ("failed", "training_failed")
    assert job.error["message"] == "The training file was deleted."
    assert job.fine_tuned_model not in endpoint.state.models
