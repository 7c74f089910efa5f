"""Fine-tuning jobs, as the official client sees them."""

import json

import pytest
from openai import BadRequestError, NotFoundError

from tests.language_models.server.clients import MODEL, text_of, use
from tests.language_models.server.training_data import preference, supervised, upload, wait_for


async def create(client, content: bytes | None = None, **more):
    file = await upload(client, content)
    return await client.fine_tuning.jobs.create(
        **{"model": MODEL, "training_file": file.id, "suffix": "study", **more}
    )


async def train(client, content: bytes | None = None, **more):
    return (await wait_for(client, await create(client, content, **more)))[0]


def test_a_job_passes_its_statuses_and_creates_a_trained_model() -> None:
    async def work(client, endpoint):
        job = await create(client)
        assert job.fine_tuned_model is None and job.finished_at is None
        job, seen = await wait_for(client, job)
        assert seen == ["validating_files", "queued", "running", "running", "succeeded"]
        taught = await text_of(client, "question 3", model=job.fine_tuned_model)
        return job, taught, await text_of(client, "question 3", model=MODEL)

    job, taught, untaught = use(work, job_polls=4)
    assert taught == "learnt 3" != untaught
    assert job.fine_tuned_model.startswith(f"ft:{MODEL}:nip:study:")
    assert job.finished_at >= job.created_at
    # Each example has 2 + 2 words, so 3 + 3 tokens and 4 for the message; three epochs of ten.
    assert job.trained_tokens == 3 * 10 * (3 + 3 + 4)
    assert job.hyperparameters.n_epochs == 3


def test_preferred_answers_are_memorised() -> None:
    method = {"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.2, "n_epochs": 1}}}

    async def work(client, endpoint):
        job = await train(client, preference(), method=method)
        return job, await text_of(client, "question 7", model=job.fine_tuned_model)

    job, taught = use(work)
    assert taught == "good 7"
    assert job.method.dpo.hyperparameters.beta == 0.2
    assert job.method.dpo.hyperparameters.batch_size == 1


def test_training_continues_from_a_fine_tuned_model() -> None:
    async def work(client, endpoint):
        first = await train(client, supervised(12, "first"))
        second = await train(client, supervised(10, "second"), model=first.fine_tuned_model)
        name = second.fine_tuned_model
        return name, [await text_of(client, f"question {n}", model=name) for n in (3, 11)]

    name, answers = use(work)
    assert answers == ["second 3", "first 11"]
    assert name.startswith(f"ft:{MODEL}:nip:study:")


def test_equal_requests_make_two_jobs_whose_models_have_one_name() -> None:
    async def work(client, endpoint):
        jobs = [await train(client, metadata={"key": "k", "run": str(n % 2)}) for n in range(3)]
        return jobs, endpoint.counters()

    jobs, counters = use(work)
    assert len({job.id for job in jobs}) == 3
    assert len({job.fine_tuned_model for job in jobs}) == 1
    assert counters.num_jobs == 3
    assert counters.jobs == {"key=k": 3, "run=0": 2, "run=1": 1}


@pytest.mark.parametrize(
    "change",
    [{"seed": 7}, {"suffix": "other"}, {"model": "gpt-4o-2024-08-06"}, {"content": preference()}],
    ids=str,
)
def test_another_request_creates_a_model_of_another_name(change) -> None:
    method = {"type": "dpo"} if "content" in change else {"type": "supervised"}

    async def work(client, endpoint):
        return await train(client), await train(client, method=method, **change)

    first, second = use(work)
    assert first.fine_tuned_model != second.fine_tuned_model


def test_jobs_are_listed_in_pages_and_found_by_metadata() -> None:
    async def work(client, endpoint):
        made = [(await create(client, metadata={"key": str(n)})).id for n in range(5)]
        bare = await create(client)
        listing = client.fine_tuning.jobs.list
        listed = [job.id async for job in listing(limit=2)]
        found = [job.id async for job in listing(metadata={"key": "3"})]
        without = [job.id async for job in listing(extra_query={"metadata": "null"})]
        return made, bare.id, listed, found, without

    made, bare, listed, found, without = use(work)
    assert listed == [bare, *made[::-1]]
    assert found == [made[3]] and without == [bare]


def test_events_tell_what_happened_the_newest_first() -> None:
    async def work(client, endpoint):
        job = await train(client)
        jobs = client.fine_tuning.jobs
        events = [event async for event in jobs.list_events(job.id, limit=2)]
        checkpoints = [each async for each in jobs.checkpoints.list(job.id)]
        return job, events, checkpoints

    job, events, (checkpoint,) = use(work)
    messages = [event.message for event in events]
    assert messages[0] == "The job is now succeeded."
    assert messages[-1] == f"Created fine-tuning job: {job.id}"
    assert any(job.fine_tuned_model in message for message in messages)
    # Three epochs of ten examples, one at a time.
    assert [event.data for event in events if event.type == "metrics"] == [
        {"step": 30, "total_steps": 30}
    ]
    assert len({event.id for event in events}) == len(events)
    assert checkpoint.fine_tuned_model_checkpoint == job.fine_tuned_model
    assert checkpoint.step_number == 30


def test_a_cancelled_job_creates_no_model() -> None:
    async def work(client, endpoint):
        job = await client.fine_tuning.jobs.cancel((await create(client)).id)
        assert job.status == "cancelled"
        job = await client.fine_tuning.jobs.retrieve(job.id)
        assert (job.status, job.fine_tuned_model) == ("cancelled", None)
        with pytest.raises(BadRequestError, match="already cancelled"):
            await client.fine_tuning.jobs.cancel(job.id)

    use(work)


def test_a_paused_job_waits_until_it_is_resumed() -> None:
    async def work(client, endpoint):
        jobs = client.fine_tuning.jobs
        job = await jobs.pause((await create(client)).id)
        assert [(await jobs.retrieve(job.id)).status for _ in range(8)] == ["paused"] * 8
        job = await jobs.resume(job.id)
        assert job.status == "validating_files"
        with pytest.raises(BadRequestError, match="not paused"):
            await jobs.resume(job.id)
        return (await wait_for(client, job))[0].status

    assert use(work) == "succeeded"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (supervised(9), "9 examples"),
        (supervised() + b"no json\n", "Line 11"),
        (supervised() + b'{"messages": []}\n', "Line 11"),
        (supervised() + b'{"messages": [{"role": "user", "content": "?"}]}\n', "Line 11"),
        (preference(), "Line 1"),
    ],
    ids=["few", "json", "empty", "unanswered", "preference"],
)
def test_an_unusable_file_makes_the_job_fail(content: bytes, complaint: str) -> None:
    job = use(lambda client, _: train(client, content))
    assert (job.status, job.error.code) == ("failed", "invalid_training_file")
    assert complaint in job.error.message and job.error.param == "training_file"


def test_a_model_that_cannot_be_trained_makes_the_job_fail() -> None:
    from nip.errors import ParameterError

    async def work(client, endpoint):
        def refuse(*arguments):
            raise ParameterError("This model cannot be trained.")

        endpoint.mock_model.train = refuse
        return await train(client)

    job = use(work)
    assert (job.status, job.error.message) == ("failed", "This model cannot be trained.")


@pytest.mark.parametrize(
    "wrong",
    [
        {"training_file": "file-7"},
        {"suffix": "x" * 65},
        {"seed": 2**31},
        {"metadata": {str(n): "" for n in range(17)}},
        {"metadata": {"k" * 65: ""}},
        {"metadata": {"k": "v" * 513}},
        {"method": {"type": "reinforcement"}},
        {"method": {"type": "supervised", "supervised": {"hyperparameters": {"beta": 1}}}},
        {"method": {"type": "dpo", "dpo": {"hyperparameters": {"n_epochs": 0}}}},
    ],
    ids=lambda wrong: json.dumps(wrong)[:40],
)
def test_requests_beyond_the_limits_are_refused(wrong) -> None:
    async def work(client, endpoint):
        with pytest.raises(BadRequestError):
            await create(client, **wrong)
        return endpoint.counters().num_jobs

    assert use(work) == 0


def test_unknown_jobs_and_models_are_not_found() -> None:
    async def work(client, endpoint):
        with pytest.raises(NotFoundError):
            await client.fine_tuning.jobs.retrieve("ftjob-7")
        with pytest.raises(NotFoundError):
            await create(client, model="ft:gone:nip::00000000")
        job = await train(client)
        await client.models.delete(job.fine_tuned_model)
        with pytest.raises(NotFoundError):
            await text_of(client, model=job.fine_tuned_model)

    use(work)


def test_a_job_takes_its_time() -> None:
    async def work(client, endpoint):
        job = await create(client)
        early = await client.fine_tuning.jobs.retrieve(job.id)
        record = endpoint.state.jobs.get(job.id)
        record.created_at -= 60
        endpoint.state.jobs.save(record)
        # Time brings a job on that is only listed.
        (late,) = [each async for each in client.fine_tuning.jobs.list()]
        return early.status, late.status

    assert use(work, job_polls=0, job_seconds=60) == ("queued", "succeeded")
