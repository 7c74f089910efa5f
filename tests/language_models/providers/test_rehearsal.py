"""The provider `rehearsal` and the mock API agree on answers and errors."""

import asyncio

import pytest

from nip.language_models.chat import Completion, ModelSpec, Sampling
from nip.language_models.errors import (
    AuthenticationError,
    ContentFilterError,
    LanguageModelError,
    MalformedAnswerError,
    ModelConnectionError,
    ModelTimeoutError,
    OverloadError,
    QuotaError,
    RateLimitError,
    UnknownModelError,
)
from nip.language_models.provider_registry import ConnectionContext, build_chat_model
from nip.language_models.server import EndpointOptions, create_app
from tests.language_models.providers.canned_service import MESSAGES

ERRORS = {
    "authentication": AuthenticationError,
    "content_filter": ContentFilterError,
    "cut_connection": ModelConnectionError,
    "empty_choices": MalformedAnswerError,
    "malformed_json": MalformedAnswerError,
    "overload": OverloadError,
    "quota": QuotaError,
    "rate_limit": RateLimitError,
    "rate_limit_ms": RateLimitError,
    "server_error": OverloadError,
    "timeout": ModelTimeoutError,
    "unknown_model": UnknownModelError,
}


def rehearse(**options: object) -> Completion:
    async def run() -> Completion:
        app = create_app(EndpointOptions(brain="echo", stall_s=0.01, **options))
        context = ConnectionContext(rehearsal_app=app)
        model = build_chat_model(ModelSpec("rehearsal", "gpt-4o-mini-2024-07-18"), context)
        try:
            return await model.complete(MESSAGES, Sampling(max_tokens=50, seed=1))
        finally:
            await model.aclose()
            await app.state.endpoint.aclose()

    return asyncio.run(run())


def test_the_endpoint_answers() -> None:
    answer = rehearse()
    assert answer.text
    assert answer.finish_reason == "stop"
    assert answer.usage.prompt_tokens > 0
    assert answer.usage.completion_tokens > 0


def test_no_key_is_read_or_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "wrong\nkey")
    monkeypatch.setenv("OPENAI_BASE_URL", "not an address")
    assert rehearse().text


@pytest.mark.parametrize("fault", ERRORS)
def test_a_fault_has_its_own_error(fault: str) -> None:
    with pytest.raises(LanguageModelError) as caught:
        rehearse(faults=(fault,), fault_rate=1.0)
    assert type(caught.value) is ERRORS[fault]


@pytest.mark.parametrize("fault", ["rate_limit", "rate_limit_ms"])
def test_the_endpoint_says_when_to_come_back(fault: str) -> None:
    with pytest.raises(RateLimitError) as caught:
        rehearse(faults=(fault,), fault_rate=1.0, retry_after_s=2.0)
    assert caught.value.retry_after == 2.0


def test_a_truncated_answer_is_marked() -> None:
    assert rehearse(faults=("truncated",), fault_rate=1.0).finish_reason == "length"
