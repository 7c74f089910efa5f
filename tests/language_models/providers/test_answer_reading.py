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
    [
        ("length", "length"),
        ("max_tokens", "length"),
        ("MAX_TOKENS", "length"),
        ("max_output_tokens", "length"),
        ("model_length", "length"),
        ("eos", "stop"),
        ("STOP", "stop"),
        (None, "stop"),
    ],
)
def test_finish_reasons_of_all_services(given, read: str) -> None:
    assert read_completion(body(finish_reason=given), {}, SPEC).finish_reason == read


@pytest.mark.parametrize(
    ("given", "error_class"),
    [
        ("content_filter", ContentFilterError),
        ("SAFETY", ContentFilterError),
        ("sensitive", ContentFilterError),
        ("insufficient_system_resource", MalformedAnswerError),
        ("network_error", MalformedAnswerError),
    ],
)
def test_half_an_answer_is_none(given: str, error_class: type[LanguageModelError]) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    with pytest.raises(error_class) as caught:
        read_completion(body("The loop is", given, usage=usage), {}, SPEC)
    assert (caught.value.is_charged, caught.value.usage) == ("yes", TokenUsage(3, 2))


def test_missing_usage_and_model_have_defaults() -> None:
    completion = read_completion(body(usage={"prompt_tokens": "many"}), {}, SPEC)
    assert (completion.usage, completion.model) == (TokenUsage(), "a-model")


@pytest.mark.parametrize("finish_reason", ["length", "stop", "tool_calls"])
def test_no_content_is_an_empty_answer_that_was_paid_for(finish_reason: str) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    absent = json.loads(body(None, finish_reason, usage=usage))
    del absent["choices"][0]["message"]["content"]
    for content in (body(None, finish_reason, usage=usage), json.dumps(absent).encode()):
        completion = read_completion(content, {}, SPEC)
        assert (completion.text, completion.usage) == ("", TokenUsage(3, 2))


@pytest.mark.parametrize(
    ("content", "text", "reasoning"),
    [
        ([{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}], "Hello", ""),
        (["Hel", "lo"], "Hello", ""),
        ([{"text": "Hello"}], "Hello", ""),
        ({"type": "text", "text": "Hello"}, "Hello", ""),
        ([{"type": "output_text", "text": {"value": "Hello"}}], "Hello", ""),
        ([{"type": "text", "text": None}, {"type": "image_url", "image_url": {}}], "", ""),
        ([], "", ""),
        (
            # Magistral.
            [
                {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
                {"type": "text", "text": "Hello"},
            ],
            "Hello",
            "Hm.",
        ),
        ([{"type": "reasoning", "summary": "Hm."}, {"type": "text", "text": "x"}], "x", "Hm."),
        ("<think>Hm.</think>Hello", "Hello", "Hm."),
    ],
)
def test_content_in_parts_is_joined(content, text: str, reasoning: str) -> None:
    completion = read_completion(body(content), {}, SPEC)
    assert (completion.text, completion.reasoning) == (text, reasoning)


@pytest.mark.parametrize(
    "fields",
    [
        {"reasoning_content": "Hm."},
        {"reasoning": "Hm."},
        {"thinking": "Hm."},
        {"reasoning_content": None, "reasoning_details": [{"type": "x", "text": "Hm."}]},
        {"reasoning": "Hm.", "reasoning_details": [{"type": "x", "text": "Hm."}]},
    ],
)
def test_reasoning_fields_are_read_and_are_no_part_of_the_answer(fields) -> None:
    message = {"message": {"content": "Hello", **fields}, "finish_reason": "stop"}
    completion = read_completion(json.dumps({"choices": [message]}).encode(), {}, SPEC)
    assert (completion.text, completion.reasoning) == ("Hello", "Hm.")


def test_a_part_may_be_a_refusal() -> None:
    with pytest.raises(ContentFilterError):
        read_completion(body([{"type": "refusal", "refusal": "No."}]), {}, SPEC)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (body(finish_reason="content_filter"), ContentFilterError),
        (b'{"choices": []}', MalformedAnswerError),
        (b'{"choices": [{"finish_reason": "stop"}]}', MalformedAnswerError),
        (body(3), MalformedAnswerError),
        (body([3]), MalformedAnswerError),
        # Gateways report errors with status 200, in the body or in the choice.
        (b'{"error": {"code": 502, "message": "bad gateway"}}', OverloadError),
        (body("half an ans", "error", error={"code": 503}), LanguageModelError),
    ],
)
def test_errors_of_the_body_are_raised(content: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_completion(content, {}, SPEC)
