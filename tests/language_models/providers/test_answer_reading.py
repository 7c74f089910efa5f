"""Bodies of chat completions become completions, or the error that they describe."""

import json

import pytest

from nip.language_models.chat import ModelSpec, TokenUsage
from nip.language_models.errors import (
    ContentFilterError,
    LanguageModelError,
    MalformedAnswerError,
    OverloadError,
)
from nip.language_models.providers.answer_reading import read_completion

SPEC = ModelSpec("openai", "a-model", "http://localhost/v1")


def body(content="hello", finish_reason="stop", **more) -> bytes:
    choice = {"message": {"content": content}, "finish_reason": finish_reason}
    return json.dumps({"choices": [choice], **more}).encode()


def test_text_usage_model_and_limits_are_read() -> None:
    content = body(usage={"prompt_tokens": 3, "completion_tokens": 2}, model="a-model-2025")
    completion = read_completion(content, {"x-ratelimit-remaining-requests": "9"}, SPEC)
    assert (completion.text, completion.finish_reason) == ("hello", "stop")
    assert (completion.usage, completion.model) == (TokenUsage(3, 2), "a-model-2025")
    assert completion.rate_limits is not None and completion.rate_limits.remaining_requests == 9


@pytest.mark.parametrize(
    ("given", "read"),
    [("length", "length"), ("max_tokens", "length"), ("eos", "stop"), (None, "stop")],
)
def test_finish_reasons_of_all_services(given, read: str) -> None:
    assert read_completion(body(finish_reason=given), {}, SPEC).finish_reason == read


def test_missing_usage_and_model_have_defaults() -> None:
    completion = read_completion(body(usage={"prompt_tokens": "many"}), {}, SPEC)
    assert (completion.usage, completion.model) == (TokenUsage(), "a-model")


def test_an_answer_cut_before_its_first_token_is_empty() -> None:
    assert read_completion(body(None, "length"), {}, SPEC).text == ""


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (body(finish_reason="content_filter"), ContentFilterError),
        (b'{"choices": []}', MalformedAnswerError),
        (b'{"choices": [{"finish_reason": "stop"}]}', MalformedAnswerError),
        (body(None), MalformedAnswerError),
        # Gateways report errors with status 200, in the body or in the choice.
        (b'{"error": {"code": 502, "message": "bad gateway"}}', OverloadError),
        (body("half an ans", "error", error={"code": 503}), LanguageModelError),
    ],
)
def test_errors_of_the_body_are_raised(content: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_completion(content, {}, SPEC)
