"""The backend `openai`, with the mock API and with minimal services."""

import asyncio
import json
import traceback

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from nip.errors import NipWarning, ParameterError
from nip.language_models.chat import ModelSpec
from nip.language_models.errors import (
    AuthenticationError,
    BadRequestError,
    MalformedAnswerError,
    UnknownModelError,
)
from nip.language_models.fine_tuning import (
    FineTuningError,
    JobOptions,
    JobPlan,
    JobRequest,
    JobRunner,
    PollingPolicy,
    Preference,
    build_fine_tuning_backend,
    check_fine_tuning_access,
    openai_backend,
    preference_dataset,
    supervised_dataset,
)
from nip.language_models.fine_tuning.job_names import job_key, job_metadata, job_suffix
from nip.language_models.provider_registry import ConnectionContext
from nip.language_models.server.app import create_app
from nip.language_models.server.endpoint import EndpointOptions
from nip.run_store.database import RunDatabase
from tests.language_models.fine_tuning.fake_service import BASE_MODEL, FakeTime

MODEL = ModelSpec("rehearsal", BASE_MODEL)
EXAMPLES = supervised_dataset(
    [{"role": "user", "content": f"Question {n}"}, {"role": "assistant", "content": "Yes."}]
    for n in range(12)
)
PAIRS = preference_dataset(
    Preference([{"role": "user", "content": f"Question {n}"}], "Yes.", "No.") for n in range(12)
)


def open_backend(app):
    return build_fine_tuning_backend("openai", MODEL, ConnectionContext(rehearsal_app=app))


def with_backend(app, work):
    """Let a coroutine use a backend, and close it."""

    async def use():
        backend = open_backend(app)
        try:
            return await work(backend)
        finally:
            await backend.aclose()

    return asyncio.run(use())


def run_job(folder, app, options=None, dataset=EXAMPLES, **hyper_params):
    database, time = RunDatabase(folder / "run.db"), FakeTime()
    given = JobPlan("verifier", BASE_MODEL, dataset, seed=3, **hyper_params)

    async def work(backend):
        polling = PollingPolicy(0.01, time.sleep, lambda: time.seconds)
        runner = JobRunner("r", folder, database.jobs, {"verifier": backend}, options, polling)
        await runner.create(1, [given])
        return (await runner.wait(1))["verifier"]

    try:
        return with_backend(app, work)
    finally:
        database.close()


def jobs_of(app):
    """Ask the endpoint for all that it has."""

    async def work(backend):
        return [job async for job in backend._client.fine_tuning.jobs.list()]

    return with_backend(app, work)


def test_a_supervised_job_runs_from_file_to_model(tmp_path):
    app = create_app(EndpointOptions(job_polls=3))
    row = run_job(tmp_path, app, n_epochs=2, batch_size=4, learning_rate_multiplier=0.5)
    assert (row.status, row.error) == ("SUCCEEDED", None)
    assert row.model.startswith("ft:gpt-4o-mini")
    assert row.trained_tokens > 0
    # It is a rehearsal, whatever OpenAI takes for this model.
    assert row.cost == 0.0
    messages = [event["message"] for event in row.events]
    assert messages.index("The job is now running.") < messages.index("The job is now succeeded.")
    metrics = [event["data"] for event in row.events if event["type"] == "metrics"]
    # Twelve examples in batches of four, twice.
    assert metrics[-1]["step"] == 6
    (job,) = jobs_of(app)
    assert job.method.supervised.hyperparameters.n_epochs == 2
    assert job.method.supervised.hyperparameters.batch_size == 4
    assert job.method.supervised.hyperparameters.learning_rate_multiplier == 0.5
    assert (job.seed, job.metadata["nip_key"]) == (3, row.key)
    assert row.suffix in row.model


def test_a_preference_job_carries_its_beta(tmp_path):
    app = create_app()
    row = run_job(tmp_path, app, dataset=PAIRS, beta=0.25)
    assert (row.status, row.method) == ("SUCCEEDED", "dpo")
    (job,) = jobs_of(app)
    assert (job.method.type, job.method.dpo.hyperparameters.beta) == ("dpo", 0.25)


@pytest.mark.parametrize("fault", ["job_failed", "job_cancelled"])
def test_a_job_that_fails_once_succeeds_at_the_second_attempt(tmp_path, fault):
    app = create_app(EndpointOptions(faults=(f"{fault}?rate=1&first=1",)))
    with pytest.warns(NipWarning, match="attempt 1.* Another attempt is made"):
        row = run_job(tmp_path, app)
    assert (row.status, row.attempt) == ("SUCCEEDED", 1)
    counters = app.state.endpoint.counters()
    assert counters.num_jobs == 2
    assert list(counters.uploads.values()) == [1]


def test_a_job_that_always_fails_stops_the_run_with_the_reason_of_the_service(tmp_path):
    app = create_app(EndpointOptions(faults=("job_failed",), fault_rate=1.0))
    with pytest.raises(FineTuningError, match=r"attempt 1, failed\)"):
        run_job(tmp_path, app, JobOptions(on_failure="stop"))


def test_a_paused_job_is_waited_for(tmp_path):
    app = create_app(EndpointOptions(faults=("job_paused",), fault_rate=1.0))
    with pytest.warns(NipWarning, match="has paused the fine-tuning job"):
        assert run_job(tmp_path, app).status == "SUCCEEDED"


@pytest.mark.parametrize(
    "fault",
    [
        *("create_lost", "upload_lost", "cut_connection", "malformed_json", "timeout"),
        *("rate_limit", "rate_limit_ms", "server_error", "overload", "job_slow"),
    ],
)
def test_no_fault_creates_a_second_file_or_job(tmp_path, fault):
    for seed in range(3):
        folder = tmp_path / str(seed)
        folder.mkdir()
        rules = (f"{fault}?rate=0.4", f"{fault}?rate=1&first=1")
        app = create_app(EndpointOptions(faults=rules, seed=seed, stall_s=0.0))
        assert run_job(folder, app).status == "SUCCEEDED"
        counters = app.state.endpoint.counters()
        assert counters.num_jobs == 1
        assert list(counters.uploads.values()) == [1]
        assert counters.faults


@pytest.mark.parametrize("fault", ["authentication", "quota"])
def test_faults_that_end_the_run_can_be_gone_on_from(tmp_path, fault):
    app = create_app(EndpointOptions(faults=(f"{fault}?rate=1&first=1&request=create_job",)))
    with pytest.raises(Exception, match="resume the run"):
        run_job(tmp_path, app)
    assert run_job(tmp_path, app).status == "SUCCEEDED"
    assert app.state.endpoint.counters().num_jobs == 1


def test_jobs_are_found_on_later_pages(monkeypatch):
    monkeypatch.setattr(openai_backend, "_PAGE", 10)
    app = create_app()

    async def work(backend):
        file_id = await backend.upload(EXAMPLES.content, "examples.jsonl")
        for number in range(25):
            key = job_key(number=number)
            await backend.create_job(
                JobRequest(
                    key=key,
                    base_model=BASE_MODEL,
                    training_file_id=file_id,
                    method="supervised",
                    suffix=job_suffix("verifier", 1, key),
                    seed=1,
                    metadata=job_metadata(key),
                )
            )
        found = [await backend.find_job(job_key(number=number)) for number in (0, 14, 15, 24)]
        missing = await backend.find_job(job_key(number=25))
        return [job.id for job in found], missing, await backend.find_file("examples.jsonl")

    ids, missing, file_id = with_backend(app, work)
    assert ids == [f"ftjob-{number:08d}" for number in (1, 15, 16, 25)]
    assert missing is None
    assert file_id is not None


def bare_app(things, page=2):
    """An endpoint that lists what it is given in short pages, whatever limit is asked for."""

    async def give(request):
        after = request.query_params.get("after")
        ids = [thing["id"] for thing in things]
        start = ids.index(after) + 1 if after else 0
        part = things[start : start + page]
        has_more = start + page < len(things)
        return JSONResponse({"object": "list", "data": part, "has_more": has_more})

    return Starlette(routes=[Route("/v1/files", give), Route("/v1/fine_tuning/jobs", give)])


def test_files_are_found_on_later_pages_and_broken_ones_are_not():
    files = [
        {"id": f"file-{n}", "filename": f"{n}.jsonl", "status": "processed", "purpose": "fine-tune"}
        for n in range(5)
    ]
    files[3]["status"] = "error"

    async def work(backend):
        names = ("4.jsonl", "0.jsonl", "3.jsonl", "5.jsonl")
        return [await backend.find_file(name) for name in names]

    assert with_backend(bare_app(files), work) == ["file-4", "file-0", None, None]


@pytest.mark.parametrize("metadata", [None, {}, "absent"])
def test_without_metadata_the_suffix_decides(metadata):
    key, other = job_key(number=1), job_key(number=2)
    jobs = [
        {"id": f"job-{n}", "object": "fine_tuning.job", "status": "queued", "model": BASE_MODEL}
        for n in range(6)
    ]
    jobs[3]["user_provided_suffix"] = job_suffix("verifier", 1, other)
    jobs[4] |= {
        "status": "succeeded",
        "fine_tuned_model": f"ft:{BASE_MODEL}:o:{job_suffix('verifier', 1, key)}:x1",
    }
    if metadata != "absent":
        jobs = [{**job, "metadata": metadata} for job in jobs]

    async def work(backend):
        return [await backend.find_job(each) for each in (key, other, job_key(number=3))]

    by_name, by_suffix, missing = with_backend(bare_app(jobs), work)
    assert (by_name.id, by_name.status) == ("job-4", "succeeded")
    assert by_suffix.id == "job-3"
    assert missing is None


@pytest.mark.parametrize("body", ['{"error": {"code": 502}}', '{"data": null}', '{"id": 5}'])
def test_a_malformed_list_is_not_treated_as_empty(body):
    # A job that is there would be made again.
    async def give(request):
        return Response(body, media_type="application/json")

    async def work(backend):
        for look in (backend.find_job("key"), backend.find_file("name"), backend.list_events("j")):
            with pytest.raises(MalformedAnswerError):
                await look

    with_backend(Starlette(routes=[Route("/v1/{path:path}", give)]), work)


def test_a_service_without_pagination_gets_at_most_two_requests():
    num_requests = 0

    async def give(request):
        nonlocal num_requests
        num_requests += 1
        assert num_requests <= 2
        things = [{"id": f"job-{n}", "status": "queued", "filename": "f"} for n in range(3)]
        return JSONResponse({"object": "list", "data": things})

    async def work(backend):
        return await backend.find_job(job_key(number=1))

    route = Route("/v1/fine_tuning/jobs", give)
    assert with_backend(Starlette(routes=[route]), work) is None


@pytest.mark.parametrize("body", ["[]", '{"id": 5}', "null", "<html>", '{"data": 3}', '"job"'])
def test_a_response_that_is_no_job_is_reported(body):
    async def give(request):
        return Response(body, media_type="application/json")

    route = Route("/v1/{path:path}", give, methods=["GET", "POST"])

    async def work(backend):
        with pytest.raises(MalformedAnswerError):
            await backend.get_job("job-1")
        with pytest.raises(MalformedAnswerError):
            await backend.upload(b"{}", "a.jsonl")

    with_backend(Starlette(routes=[route]), work)


def test_refusals_of_the_service_have_their_class_and_its_words():
    async def work(backend):
        with pytest.raises(UnknownModelError):
            await backend.get_job("ftjob-99999999")
        file_id = await backend.upload(EXAMPLES.content, "examples.jsonl")
        request = JobRequest("k", BASE_MODEL, file_id, "supervised", "s" * 65, 1)
        with pytest.raises(BadRequestError, match="suffix"):
            await backend.create_job(request)

    with_backend(create_app(), work)


def test_the_key_of_an_account_is_in_no_error(monkeypatch):
    monkeypatch.setenv("MY_KEY", "a-very-secret-word")
    app = create_app(EndpointOptions(faults=("authentication",), fault_rate=1.0))
    backend = build_fine_tuning_backend(
        "openai",
        ModelSpec("openai", BASE_MODEL, "http://localhost:1/v1", "MY_KEY"),
        ConnectionContext(),
    )
    assert "secret" not in repr(backend)
    rehearsal = open_backend(app)
    backend._client = rehearsal._client.copy(api_key="a-very-secret-word")

    async def work():
        try:
            await backend.get_job("ftjob-1")
        finally:
            await backend.aclose()

    with pytest.raises(AuthenticationError, match="MY_KEY") as caught:
        asyncio.run(work())
    assert caught.value.__context__ is None
    assert "secret" not in "".join(traceback.format_exception(caught.value))


def test_missing_settings_are_reported_before_a_request(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(ParameterError, match="OPENAI_API_KEY"):
        check_fine_tuning_access("openai", ModelSpec("openai", BASE_MODEL))
    with pytest.raises(ParameterError, match="needs a mock API"):
        check_fine_tuning_access("openai", MODEL)
    with pytest.raises(KeyError, match="Did you mean 'openai'"):
        check_fine_tuning_access("open_ai", MODEL)
    check_fine_tuning_access("openai", ModelSpec("openai", "m", "http://localhost:8000/v1"))


@pytest.mark.parametrize("provider", ["local", "scripted"])
def test_a_model_of_another_provider_is_never_sent(monkeypatch, provider):
    monkeypatch.setenv("OPENAI_API_KEY", "not-a-key")
    model = ModelSpec(provider, "models/qwen")
    message = rf"'openai' cannot train the model 'models/qwen' of model_provider='{provider}'"
    with pytest.raises(ParameterError, match=message):
        check_fine_tuning_access("openai", model)
    with pytest.raises(ParameterError, match=message):
        build_fine_tuning_backend("openai", model, ConnectionContext())


def test_the_uploaded_bytes_are_those_of_the_run_folder(tmp_path):
    app = create_app()
    row = run_job(tmp_path, app)

    async def work(backend):
        content = await backend._client.files.content(row.file_id)
        return content.content, await backend._client.files.retrieve(row.file_id)

    content, file = with_backend(app, work)
    assert content == (tmp_path / row.dataset_path).read_bytes()
    assert (file.filename, file.purpose) == (row.file_name, "fine-tune")
    assert json.loads(content.splitlines()[0])["messages"][1]["content"] == "Yes."
