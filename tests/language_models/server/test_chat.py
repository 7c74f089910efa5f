"""Chat completions, as the official client sees them."""

import pytest
from openai import AuthenticationError, BadRequestError, NotFoundError, RateLimitError

from nip.language_models.providers.response_headers import read_duration
from tests.language_models.server.clients import MODEL, ask, text_of, use

DECIDE = "End with `Decision: reject` or `Decision: accept`."


def test_an_answer_has_text_reason_and_usage() -> None:
    answer = use(lambda client, _: ask(client, "one two three four"), brain="echo")
    (choice,) = answer.choices
    assert (choice.message.role, choice.message.content) == ("assistant", "one two three four")
    assert choice.finish_reason == "stop"
    assert answer.model == MODEL
    # Four words are 16/3 tokens, rounded up to 6; the message itself takes 4 more.
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (10, 6)
    assert answer.usage.total_tokens == 16


def test_the_seed_decides_and_nothing_else() -> None:
    async def work(client, endpoint):
        seeded = [await text_of(client, DECIDE, seed=seed) for seed in range(20)]
        again = [await text_of(client, DECIDE, seed=seed) for seed in reversed(range(20))]
        unseeded = [await text_of(client, f"{DECIDE} {number}") for number in range(20)]
        same = [await text_of(client, f"{DECIDE} {number}") for number in range(20)]
        return seeded, again[::-1], unseeded, same

    seeded, again, unseeded, same = use(work)
    assert seeded == again and unseeded == same
    for texts in (seeded, unseeded):
        assert {text.splitlines()[-1] for text in texts} == {"Decision: accept", "Decision: reject"}


def test_a_long_answer_is_cut_at_the_limit_of_tokens() -> None:
    async def work(client, endpoint):
        words = "a b c d e f g h i j"
        return [
            (await ask(client, words, max_tokens=6)).choices[0],
            (await ask(client, words, max_completion_tokens=14)).choices[0],
        ]

    cut, whole = use(work, brain="echo")
    # Four tokens for three words: 6 tokens hold 4 words, 14 hold all 10.
    assert (cut.message.content, cut.finish_reason) == ("a b c d", "length")
    assert (whole.message.content, whole.finish_reason) == ("a b c d e f g h i j", "stop")


def test_a_completion_ends_before_a_stop_sequence() -> None:
    async def work(client, endpoint):
        answers = [await ask(client, "one two. three", stop=stop) for stop in (".", ["x", " two"])]
        return [answer.choices[0] for answer in answers], answers[0].usage.completion_tokens

    (first, second), tokens = use(work, brain="echo")
    assert (first.message.content, first.finish_reason) == ("one two", "stop")
    assert (second.message.content, second.finish_reason) == ("one", "stop")
    assert tokens == 3


def test_reasoning_uses_tokens_of_the_limit_before_the_answer() -> None:
    async def work(client, endpoint):
        more = {"reasoning_effort": "low"}
        return [await ask(client, "a b c", **more, max_completion_tokens=n) for n in (68, 67, 10)]

    whole, cut, empty = use(work, brain="echo")
    # 64 tokens of reasoning; three words are four tokens.
    assert [each.choices[0].message.content for each in (whole, cut, empty)] == ["a b c", "a b", ""]
    assert [each.choices[0].finish_reason for each in (whole, cut, empty)] == [
        "stop",
        "length",
        "length",
    ]
    assert [each.usage.completion_tokens for each in (whole, cut, empty)] == [68, 67, 10]
    assert empty.usage.completion_tokens_details.reasoning_tokens == 10


def test_responses_report_rate_limits() -> None:
    async def work(client, endpoint):
        raw = client.chat.completions.with_raw_response
        messages = [{"role": "user", "content": "a b c"}]
        return [
            (await raw.create(model=MODEL, messages=messages, max_tokens=10)).headers
            for _ in range(2)
        ]

    first, second = use(work, brain="echo", requests_per_minute=10, tokens_per_minute=6000)
    assert first["x-ratelimit-limit-requests"] == "10"
    assert first["x-ratelimit-limit-tokens"] == "6000"
    assert [int(each["x-ratelimit-remaining-requests"]) for each in (first, second)] == [9, 8]
    # Eight tokens of the prompt and ten of the limit.
    assert int(first["x-ratelimit-remaining-tokens"]) == 6000 - 18
    assert read_duration(first["x-ratelimit-reset-requests"]) == pytest.approx(6.0, abs=0.1)


def test_requests_above_the_rate_limit_are_refused_with_the_time_to_wait() -> None:
    async def work(client, endpoint):
        for _ in range(2):
            await ask(client)
        with pytest.raises(RateLimitError) as many:
            await ask(client)
        with pytest.raises(RateLimitError, match=r"too large.*Limit 100, Requested 106") as big:
            await ask(client, max_tokens=100)
        assert endpoint.counters().num_generations == 2
        return many.value.response.headers, big.value.response.headers

    many, big = use(work, brain="echo", requests_per_minute=2, tokens_per_minute=100)
    assert float(many["retry-after"]) == pytest.approx(30.0, abs=1.0)
    assert many["x-ratelimit-remaining-requests"] == "0"
    assert "retry-after" not in big


def test_several_answers_to_one_question() -> None:
    answer = use(lambda client, _: ask(client, DECIDE, n=20, seed=1))
    assert [choice.index for choice in answer.choices] == list(range(20))
    assert len({choice.message.content for choice in answer.choices}) == 2


def test_an_answer_can_come_in_pieces() -> None:
    async def work(client, endpoint):
        stream = await ask(client, "one\ntwo", stream=True, stream_options={"include_usage": True})
        return [chunk async for chunk in stream]

    chunks = use(work, brain="echo")
    deltas = [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]
    assert "".join(deltas) == "one\ntwo" and len(deltas) > 2
    assert [c.finish_reason for chunk in chunks for c in chunk.choices][-1] == "stop"
    assert chunks[-1].usage.total_tokens == 10


def test_a_text_in_parts_and_a_developer_message_are_read() -> None:
    messages = [
        {"role": "developer", "content": "Repeat."},
        {"role": "user", "content": [{"type": "text", "text": t} for t in ("Hel", "lo")]},
    ]
    assert use(lambda c, _: text_of(c, messages=messages), brain="echo") == "Hello"


@pytest.mark.parametrize(
    ("request_body", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
        ({"model": ""}, "model"),
        ({"temperature": 3}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"seed": 1.5}, "seed"),
        ({"n": 0}, "n"),
    ],
    ids=str,
)
def test_what_cannot_be_answered_is_refused(request_body, param: str) -> None:
    async def work(client, endpoint):
        with pytest.raises(BadRequestError) as caught:
            await ask(client, **request_body)
        assert endpoint.counters().num_generations == 0
        return caught.value

    assert use(work).param == param


def test_fine_tuned_models_must_exist() -> None:
    async def work(client, endpoint):
        with pytest.raises(NotFoundError, match="ft:nothing") as caught:
            await ask(client, model="ft:nothing:nip::12345678")
        return caught.value

    assert use(work).code == "model_not_found"


def test_models_are_listed() -> None:
    async def work(client, endpoint):
        listed = [model.id async for model in client.models.list()]
        return listed, (await client.models.retrieve(MODEL)).id

    listed, one = use(work)
    assert MODEL in listed and one == MODEL


def test_a_required_key_is_compared_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENDPOINT_KEY", "open-sesame")

    async def work(client, endpoint):
        return await text_of(client)

    options = {"brain": "echo", "api_key_variable": "ENDPOINT_KEY"}
    assert use(work, key="open-sesame", **options) == "Hello"
    with pytest.raises(AuthenticationError) as caught:
        use(work, key="guess", **options)
    assert "open-sesame" not in str(caught.value) and "guess" not in str(caught.value)


def test_answers_wait_for_the_latency() -> None:
    async def work(client, endpoint):
        import asyncio

        loop = asyncio.get_running_loop()
        start = loop.time()
        await asyncio.gather(*(ask(client, str(number)) for number in range(5)))
        return loop.time() - start

    assert use(work, latency_s=0.03) >= 0.03


def test_unknown_addresses_are_refused_in_the_usual_form() -> None:
    async def work(client, endpoint):
        with pytest.raises(NotFoundError, match="/v1/images"):
            await client.images.generate(prompt="a cat")

    use(work)
