"""Each fault as the official client sees it, and the choice of requests for faults."""

import asyncio
import json
from contextlib import suppress

import httpx2
import openai
import pytest

from nip.errors import ParameterError, UnknownNameError
from nip.language_models.server.errors import refusal
from nip.language_models.server.faults import FaultRule, fault_registry
from tests.language_models.server.clients import MODEL, ask, text_of, use
from tests.language_models.server.training_data import upload, wait_for

# What the client raises for each fault that keeps it from getting an answer.
RAISED = {
    "authentication": openai.AuthenticationError,
    "cut_connection": openai.APIConnectionError,
    "malformed_json": json.JSONDecodeError,
    "overload": openai.InternalServerError,
    "quota": openai.RateLimitError,
    "rate_limit": openai.RateLimitError,
    "rate_limit_ms": openai.RateLimitError,
    "server_error": openai.InternalServerError,
    "timeout": openai.APITimeoutError,
    "unknown_model": openai.NotFoundError,
}


def meet(fault: str, **options):
    """Ask once, where every request meets the fault; give the error and the counters."""

    async def work(client, endpoint):
        error = None
        try:
            await ask(client)
        except Exception as caught:
            error = caught
        return error, endpoint.counters()

    return use(work, faults=(fault,), fault_rate=1.0, retry_after_s=0.25, stall_s=0.0, **options)


@pytest.mark.parametrize("fault", sorted(RAISED))
def test_a_refused_request_raises_the_right_error_and_is_not_paid(fault: str) -> None:
    error, counters = meet(fault)
    assert type(error) is RAISED[fault]
    assert (counters.num_requests, counters.num_generations) == (1, 0)
    assert counters.faults == {fault: 1}


def test_a_limit_says_when_to_come_back() -> None:
    seconds, _ = meet("rate_limit")
    milliseconds, _ = meet("rate_limit_ms")
    assert seconds.response.headers["retry-after"] == "0.25"
    assert milliseconds.response.headers["retry-after-ms"] == "250"
    assert seconds.response.headers["x-ratelimit-limit-requests"] == "1000000"
    assert seconds.response.headers["x-ratelimit-remaining-requests"] == "0"
    assert seconds.code == milliseconds.code == "rate_limit_exceeded"


def test_refusals_differ_by_status_and_code() -> None:
    assert meet("overload")[0].status_code == 503
    assert meet("server_error")[0].status_code == 500
    assert meet("quota")[0].code == "insufficient_quota"
    assert meet("unknown_model")[0].code == "model_not_found"


def test_completions_that_reach_the_client_are_billed_even_if_invalid() -> None:
    async def work(client, endpoint):
        answer = await ask(client, "a b c d e f g h")
        return answer.choices[0], endpoint.counters().num_generations

    options = {"brain": "echo", "fault_rate": 1.0}
    cut, paid = use(work, faults=("truncated",), **options)
    # Eight words are 11 tokens; half of them, 5, hold 3 words.
    assert (cut.message.content, cut.finish_reason, paid) == ("a b c", "length", 1)
    invalid, paid = use(work, faults=("invalid_answer",), **options)
    assert (invalid.message.content.strip(), invalid.finish_reason, paid) == ("", "stop", 1)
    slow, paid = use(work, faults=("slow",), **options)
    assert (slow.message.content, paid) == ("a b c d e f g h", 1)


def test_an_answer_may_hold_no_choices() -> None:
    async def work(client, endpoint):
        return (await ask(client)).choices, endpoint.counters().num_generations

    assert use(work, faults=("empty_choices",), fault_rate=1.0) == ([], 0)


def test_filters_refuse_some_questions_and_hide_some_answers() -> None:
    async def work(client, endpoint):
        reasons = []
        for number in range(20):
            try:
                choice = (await ask(client, str(number))).choices[0]
                assert choice.message.content == ""
                reasons.append(choice.finish_reason)
            except openai.BadRequestError as error:
                reasons.append(f"400 {error.code}")
        return set(reasons), endpoint.counters().num_generations

    reasons, paid = use(work, faults=("content_filter",), fault_rate=1.0)
    assert reasons == {"content_filter", "400 content_filter"} and paid == 0


def strike_pattern(fault: str, *, num_attempts: int, seed: int = 0, reverse: bool = False):
    """Which attempts at which of 60 questions meet a fault that strikes half of them."""

    async def work(client, endpoint):
        pattern = {}
        for number in sorted(range(60), reverse=reverse):
            for attempt in range(num_attempts):
                before = endpoint.counters().faults.get(fault, 0)
                with suppress(openai.OpenAIError):
                    await ask(client, str(number))
                struck = endpoint.counters().faults.get(fault, 0) > before
                pattern[number, attempt] = struck
        return pattern

    return use(work, faults=(fault,), fault_rate=0.5, seed=seed)


def test_the_configured_share_gets_faults_independent_of_the_order_of_requests() -> None:
    pattern = strike_pattern("server_error", num_attempts=2)
    assert pattern == strike_pattern("server_error", num_attempts=2, reverse=True)
    assert pattern != strike_pattern("server_error", num_attempts=2, seed=1)
    # Four standard deviations of 120 tosses of a coin around 60.
    assert 38 <= sum(pattern.values()) <= 82
    # RolloutRequest again gets through: the attempts are struck independently.
    assert any(pattern[n, 0] and not pattern[n, 1] for n in range(60))


def test_what_a_model_does_to_a_question_it_does_each_time() -> None:
    pattern = strike_pattern("truncated", num_attempts=2)
    assert all(pattern[number, 0] == pattern[number, 1] for number in range(60))
    assert 10 <= sum(pattern[number, 0] for number in range(60)) <= 50


def test_selectors_narrow_whom_a_fault_strikes() -> None:
    async def work(client, endpoint):
        outcomes = []
        for model in ("a", "b", "b", "b", "b"):
            try:
                outcomes.append((model, await text_of(client, model=model)))
            except openai.RateLimitError:
                outcomes.append((model, None))
        await client.models.list()
        return outcomes

    faults = ("rate_limit?rate=1&first=2&model=b&request=chat",)
    outcomes = use(work, brain="echo", faults=faults, fault_rate=0.0)
    assert outcomes == [("a", "Hello"), ("b", None), ("b", None), ("b", "Hello"), ("b", "Hello")]


@pytest.mark.parametrize("name", fault_registry.names())
def test_rules_survive_the_round_trip_to_text(name: str) -> None:
    kind = fault_registry[name].kinds[0]
    rule = FaultRule.from_text(f"{name}?first=3&model=ft:a:b&rate=0.25&request={kind}", 1.0)
    assert (rule.rate, rule.first, rule.model, rule.request) == (0.25, 3, "ft:a:b", kind)
    assert FaultRule.from_text(rule.to_text(), 0.0) == rule


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("rate_limt", UnknownNameError, "Did you mean 'rate_limit'"),
        ("rate_limit?firts=1", UnknownNameError, "Did you mean 'first'"),
        ("rate_limit?rate=2", ParameterError, "between 0 and 1"),
        ("rate_limit?rate=often", ParameterError, "between 0 and 1"),
        ("rate_limit?first=0", ParameterError, "an integer of at least 1"),
        ("rate_limit?model=", ParameterError, "name of a model"),
        ("truncated?request=upload", ParameterError, "applies only to requests of the kinds chat"),
    ],
)
def test_mistaken_rules_are_refused(text: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        FaultRule.from_text(text, 0.5)


def test_faults_can_be_switched_while_the_endpoint_runs() -> None:
    async def work(client, endpoint):
        async def post(body):
            return await client._client.post("http://endpoint/admin/faults", json=body)

        assert await text_of(client) == "Hello"
        answer = await post({"faults": ["server_error"], "fault_rate": 1})
        assert answer.json()["faults"] == ["server_error?rate=1"]
        with pytest.raises(openai.InternalServerError):
            await ask(client)
        assert (await post({"faults": ["no_such_fault"]})).status_code == 400
        assert (await post({"faults": "server_error"})).status_code == 400
        assert (await post({"faults": []})).json()["faults"] == []
        assert await text_of(client) == "Hello"
        told = await client._client.get("http://endpoint/admin/counters")
        assert told.json() == endpoint.counters().to_dict()
        assert told.json()["faults"] == {"server_error": 1}

    use(work, brain="echo")


async def create(client, seed: int = 0, **metadata: str):
    file = await upload(client)
    return await client.fine_tuning.jobs.create(
        model=MODEL, training_file=file.id, seed=seed, metadata=metadata
    )


@pytest.mark.parametrize(
    ("fault", "statuses"),
    [
        ("job_failed", ["validating_files", "running", "failed"]),
        ("job_cancelled", ["validating_files", "running", "cancelled"]),
        ("job_paused", ["validating_files", *["paused"] * 4, "running", "succeeded"]),
    ],
)
def test_jobs_can_end_badly_or_pause(fault: str, statuses: list[str]) -> None:
    async def work(client, endpoint):
        return await wait_for(client, await create(client))

    job, seen = use(work, faults=(fault,), fault_rate=1.0, job_polls=2)
    assert list(dict.fromkeys(seen)) == list(dict.fromkeys(statuses))
    assert seen.count("paused") == statuses.count("paused")
    assert (job.error is not None) == (fault == "job_failed")
    assert (job.fine_tuned_model is not None) == (job.status == "succeeded")


def test_a_slow_job_takes_ten_times_as_long() -> None:
    async def work(client, endpoint):
        return await wait_for(client, await create(client))

    _, seen = use(work, faults=("job_slow",), fault_rate=1.0, job_polls=2)
    assert len(seen) == 1 + 10 * 2


def test_a_job_may_be_created_although_the_request_fails() -> None:
    async def work(client, endpoint):
        errors = set()
        for number in range(12):
            with pytest.raises(openai.APIError) as caught:
                await create(client, seed=number, key=str(number))
            errors.add(caught.type)
            found = [
                job async for job in client.fine_tuning.jobs.list(metadata={"key": str(number)})
            ]
            assert len(found) == 1
        return errors, endpoint.counters().num_jobs

    errors, num_jobs = use(work, faults=("create_lost",), fault_rate=1.0)
    assert errors == {openai.InternalServerError, openai.APIConnectionError}
    assert num_jobs == 12


def test_a_job_may_be_refused() -> None:
    async def work(client, endpoint):
        with pytest.raises(openai.InternalServerError):
            await create(client)
        return endpoint.counters().num_jobs

    assert use(work, faults=("create_refused",), fault_rate=1.0) == 0


def test_an_upload_may_be_stored_although_the_request_fails() -> None:
    async def work(client, endpoint):
        with pytest.raises(openai.InternalServerError):
            await upload(client)
        return [file.filename async for file in client.files.list()]

    assert use(work, faults=("upload_lost",), fault_rate=1.0) == ["train.jsonl"]


def test_a_hanging_request_can_be_given_up() -> None:
    async def work(client, endpoint):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask(client), 0.02)
        return endpoint.counters().num_generations

    assert use(work, faults=("timeout",), fault_rate=1.0, stall_s=60.0) == 0


def test_requests_of_other_kinds_get_faults_too() -> None:
    async def work(client, endpoint):
        for call in (client.files.list(), client.models.list(), client.fine_tuning.jobs.list()):
            with pytest.raises(openai.InternalServerError):
                await call
        # The endpoint itself can always be asked what it did.
        told = await client._client.get("http://endpoint/admin/counters")
        assert isinstance(told, httpx2.Response) and told.json()["faults"] == {"overload": 3}

    use(work, faults=("overload",), fault_rate=1.0)


@pytest.mark.parametrize(
    ("seconds", "header", "milliseconds"),
    [
        (0.05, "0.05", "50"),
        (0.0, "0", "0"),
        (0.0003, "0.0003", "0.3"),
        (86_400.0, "86400", "86400000"),
        (1_234_567.0, "1234567", "1234567000"),
        (1.23456789, "1.23456789", "1234.56789"),
        (1e-7, "0.0000001", "0.0001"),
    ],
)
def test_the_time_to_wait_is_exact(seconds: float, header: str, milliseconds: str) -> None:
    refused = [refusal(name, seconds) for name in ("rate_limit", "rate_limit_ms")]
    assert refused[0].headers["retry-after"] == header
    assert refused[1].headers["retry-after-ms"] == milliseconds
