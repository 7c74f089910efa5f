"""Requests and responses of the provider `openai`, and its reaction to broken connections."""

import asyncio
import logging
import traceback
from collections.abc import Iterator

import pytest

from nip.errors import ParameterError
from nip.language_models.chat import (
    Completion,
    ModelSpec,
    RateLimitState,
    Sampling,
    TokenUsage,
)
from nip.language_models.errors import (
    AuthenticationError,
    ModelConnectionError,
    ModelTimeoutError,
)
from nip.language_models.provider_registry import (
    ConnectionContext,
    build_chat_model,
    check_access,
)
from tests.language_models.providers.canned_service import (
    MESSAGES,
    MODEL,
    Wire,
    ask_canned,
    chat_body,
    http,
    listening,
)

KEY = "sk-proj-Zx81mVq7secret0000"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "MY_OWN_SECRET"):
        monkeypatch.delenv(name, raising=False)
    return


async def ask(address: str, sampling: Sampling | None = None, **context: float) -> Completion:
    model = build_chat_model(
        ModelSpec("OpenAI", MODEL, base_url=address), ConnectionContext(**context)
    )
    try:
        return await model.complete(MESSAGES, sampling or Sampling())
    finally:
        await model.aclose()


def ask_wire(wire: Wire, sampling: Sampling | None = None, **context: float) -> Completion:
    async def run() -> Completion:
        async with listening(wire):
            return await ask(wire.address, sampling, **context)

    return asyncio.run(run())


def test_an_answer_is_read_whole() -> None:
    headers = {
        "x-ratelimit-limit-requests": "10000",
        "x-ratelimit-limit-tokens": "200000",
        "x-ratelimit-remaining-requests": "9999",
        "x-ratelimit-remaining-tokens": "199977",
        "x-ratelimit-reset-requests": "8.64s",
        "x-ratelimit-reset-tokens": "6m0s",
    }
    assert ask_canned(chat_body(), headers=headers) == Completion(
        text="Yes — it is.",
        finish_reason="stop",
        usage=TokenUsage(19, 10),
        model=MODEL,
        rate_limits=RateLimitState(9999, 199977, 10000, 200000, 8.64, 360.0),
    )


def test_only_what_is_chosen_is_sent() -> None:
    wire = Wire(http(chat_body()))
    assert ask_wire(wire).text == "Yes — it is."
    ((_, body),) = wire.requests
    assert body == {"model": MODEL, "messages": MESSAGES}


def test_all_that_is_chosen_is_sent() -> None:
    sampling = Sampling(temperature=0.0, top_p=0.9, max_tokens=256, seed=2**31 - 1)
    wire = Wire(http(chat_body()))
    ask_wire(wire, sampling)
    ((_, body),) = wire.requests
    del body["messages"], body["model"]
    # Servers other than OpenAI's know the limit by its old name.
    assert body == {"temperature": 0.0, "top_p": 0.9, "max_tokens": 256, "seed": 2147483647}


def test_parameters_of_reasoning_models_are_sent() -> None:
    sampling = Sampling(
        temperature=0.5,
        max_tokens=256,
        seed=7,
        reasoning_effort="low",
        sends_seed=False,
        token_limit_name="max_new_tokens",
        extra_body={"top_k": 20, "temperature": None, "chat_template_kwargs": {"thinking": True}},
    )
    wire = Wire(http(chat_body()))
    ask_wire(wire, sampling)
    ((_, body),) = wire.requests
    del body["messages"], body["model"]
    assert body == {
        "max_new_tokens": 256,
        "reasoning_effort": "low",
        "top_k": 20,
        "chat_template_kwargs": {"thinking": True},
    }


def test_a_rehearsal_is_not_sent_what_other_services_define() -> None:
    received: list[dict] = []
    sampling = Sampling(
        max_tokens=5, token_limit_name="max_new_tokens", extra_body={"top_k": 20}, seed=3
    )
    ask_canned(chat_body(), sampling=sampling, received=received)
    assert received == [
        {"model": MODEL, "messages": MESSAGES, "max_completion_tokens": 5, "seed": 3}
    ]


def test_openai_gets_the_limit_that_reasoning_models_accept() -> None:
    received: list[dict] = []
    ask_canned(chat_body(), sampling=Sampling(max_tokens=256), received=received)
    assert received == [{"model": MODEL, "messages": MESSAGES, "max_completion_tokens": 256}]


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://api.openai.com/v1", "max_completion_tokens"),
        ("https://eu.api.openai.com/v1", "max_completion_tokens"),
        ("https://study.openai.azure.com/openai/v1/", "max_completion_tokens"),
        ("http://localhost:8000/v1", "max_tokens"),
        ("https://openrouter.ai/api/v1", "max_tokens"),
    ],
)
def test_the_name_of_the_limit_follows_the_address(
    monkeypatch: pytest.MonkeyPatch, address: str, name: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    model = build_chat_model(ModelSpec("openai", MODEL, address), ConnectionContext())
    assert model._request_body(MESSAGES, Sampling(max_tokens=5))[name] == 5


def test_the_key_is_sent_and_shown_nowhere(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("MY_OWN_SECRET", KEY)

    async def run(wire: Wire) -> str:
        async with listening(wire):
            spec = ModelSpec("openai", MODEL, wire.address, "MY_OWN_SECRET")
            model = build_chat_model(spec, ConnectionContext())
            await model.complete(MESSAGES, Sampling())
            await model.aclose()
        return f"{model!r} {model} {spec} {spec.to_dict()}"

    wire = Wire(http(chat_body()))
    shown = asyncio.run(run(wire))
    ((head, _),) = wire.requests
    assert f"authorization: bearer {KEY}".lower() in head.lower()
    assert KEY not in shown + caplog.text


def test_a_refused_key_is_nowhere_in_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_OWN_SECRET", "unusual+key/value")
    body = b'{"error": {"message": "Incorrect API key provided: unusual+key/value."}}'
    head = f"HTTP/1.1 401 Unauthorized\r\ncontent-length: {len(body)}\r\n\r\n".encode()

    async def run(wire: Wire) -> None:
        async with listening(wire):
            spec = ModelSpec("openai", MODEL, wire.address, "MY_OWN_SECRET")
            model = build_chat_model(spec, ConnectionContext())
            try:
                await model.complete(MESSAGES, Sampling())
            finally:
                await model.aclose()

    with pytest.raises(AuthenticationError, match="variable MY_OWN_SECRET") as caught:
        asyncio.run(run(Wire(head + body)))
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert "unusual" not in "".join(traceback.format_exception(caught.value))


def test_a_self_hosted_server_needs_no_key() -> None:
    wire = Wire(http(chat_body()))
    ask_wire(wire)
    ((head, _),) = wire.requests
    assert "authorization: bearer none" in head.lower()


def test_the_environment_gives_address_and_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    async def run(wire: Wire) -> None:
        async with listening(wire):
            monkeypatch.setenv("OPENAI_BASE_URL", f"{wire.address}/\n")
            model = build_chat_model(ModelSpec("openai", MODEL), ConnectionContext())
            await model.complete(MESSAGES, Sampling())
            await model.aclose()

    wire = Wire(http(chat_body()))
    asyncio.run(run(wire))
    assert f"bearer {KEY}".lower() in wire.requests[0][0].lower()


def test_a_connection_cut_in_the_middle_of_a_response_is_reported() -> None:
    with pytest.raises(ModelConnectionError, match="received 516 of 526 bytes") as caught:
        ask_wire(Wire(http(chat_body(), missing=10)))
    assert (caught.value.is_unreachable, caught.value.is_charged) == (False, "unknown")


def test_a_connection_cut_before_the_response_is_reported() -> None:
    with pytest.raises(ModelConnectionError, match="Check that the service is running") as caught:
        ask_wire(Wire(b""))
    # The client of the SDK calls this a connection that was not made in time.
    assert (caught.value.is_unreachable, caught.value.is_charged) == (False, "unknown")


def test_an_address_without_a_server_is_reported() -> None:
    async def run() -> None:
        async with listening(Wire(b"")) as wire:
            address = wire.address
        await ask(address)

    with pytest.raises(ModelConnectionError, match="Cannot connect") as caught:
        asyncio.run(run())
    assert (caught.value.is_unreachable, caught.value.is_charged) == (True, "no")


def test_a_silent_service_times_out() -> None:
    with pytest.raises(ModelTimeoutError, match="The request timed out"):
        ask_wire(Wire(b"", is_silent=True), timeout_s=0.05)


def test_a_call_is_sent_once_even_if_it_fails() -> None:
    wire = Wire(b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n")
    with pytest.raises(RuntimeError, match="500"):
        ask_wire(wire)
    assert len(wire.requests) == 1


@pytest.mark.parametrize(
    ("spec", "variables", "message"),
    [
        (ModelSpec("openai", MODEL), {}, "variable OPENAI_API_KEY is not set. Set it; or set"),
        (ModelSpec("openai", MODEL), {"OPENAI_API_KEY": " "}, "use_dummy_api=true"),
        (ModelSpec("openai", MODEL, "https://api.openai.com/v1/"), {}, "OPENAI_API_KEY is not"),
        (ModelSpec("openai", MODEL, None, "MY_OWN_SECRET"), {"OPENAI_API_KEY": KEY}, "MY_OWN_SE"),
        (
            ModelSpec("openai", MODEL, "http://x/v1", "MY_OWN_SECRET"),
            {},
            "leave api_key_variable out",
        ),
        (ModelSpec("openai", MODEL), {"OPENAI_API_KEY": f"{KEY}\n{KEY}"}, "that no API key has"),
        (ModelSpec("openai", MODEL, "localhost:8000"), {}, "got 'localhost:8000'"),
        (ModelSpec("openai", MODEL, "http://[::1"), {}, "must be a URL"),
        (ModelSpec("openai", MODEL, "http://localhost:v1"), {}, "must be a URL"),
        (ModelSpec("openai", MODEL, "http://localhost:99999/v1"), {}, "must be a URL"),
        (ModelSpec("openai", MODEL, "http://x/\n/v1"), {}, "must be a URL"),
        (
            ModelSpec("openai", MODEL, f"http://me:{KEY}@[x/v1"),
            {},
            "must not contain a user",
        ),
        (ModelSpec("openai", MODEL), {"OPENAI_BASE_URL": "ftp://x"}, "variable OPENAI_BASE_URL"),
        (
            ModelSpec("openai", MODEL, f"http://me:{KEY}@x/v1"),
            {},
            "must not contain a user",
        ),
        (ModelSpec("rehearsal", MODEL), {}, "needs a mock API"),
    ],
)
def test_missing_settings_are_reported_before_a_request(
    monkeypatch: pytest.MonkeyPatch, spec: ModelSpec, variables: dict[str, str], message: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ParameterError, match=message) as caught:
        check_access(spec)
    assert KEY not in str(caught.value)
    with pytest.raises(ParameterError, match=message):
        build_chat_model(spec, ConnectionContext())
