"""Tokens and cost of a response are read, or known to be missing."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.language_models.chat import TokenUsage
from nip.language_models.errors import ContentFilterError, LanguageModelError, MalformedAnswerError
from nip.language_models.providers.usage_reading import read_cost, read_usage
from tests.language_models.providers.canned_service import ask_canned, chat_body

GOOD = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (GOOD, TokenUsage(12, 3)),
        ({"prompt_tokens": 12.0, "completion_tokens": 3}, TokenUsage(12, 3)),
        # One count follows from the total.
        ({"prompt_tokens": 12, "total_tokens": 15}, TokenUsage(12, 3)),
        ({"completion_tokens": 3, "total_tokens": 15}, TokenUsage(12, 3)),
        # Reasoning that is charged, but not part of the completion tokens.
        ({"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 515}, TokenUsage(12, 503)),
        (
            {
                "prompt_tokens": 12,
                "completion_tokens": 3,
                "completion_tokens_details": {"reasoning_tokens": 500},
            },
            TokenUsage(12, 503),
        ),
        (
            {
                "prompt_tokens": 12,
                "completion_tokens": 503,
                "total_tokens": 515,
                "completion_tokens_details": {"reasoning_tokens": 500},
            },
            TokenUsage(12, 503),
        ),
        *(
            (usage, None)
            for usage in (
                None,
                [],
                {},
                {"prompt_tokens": 12},
                {"prompt_tokens": "12", "completion_tokens": "3"},
                {"prompt_tokens": -1, "completion_tokens": 3},
                {"prompt_tokens": 12.5, "completion_tokens": 3},
                {"prompt_tokens": True, "completion_tokens": 3},
                {"prompt_tokens": float("nan"), "completion_tokens": 3},
                {"prompt_tokens": 1e300, "completion_tokens": 3},
                # A prompt has tokens, and so has a text.
                {"prompt_tokens": 0, "completion_tokens": 0},
                {"prompt_tokens": 12, "completion_tokens": 0},
            )
        ),
    ],
)
def test_token_counts_are_right_or_missing(usage: Any, expected: TokenUsage | None) -> None:
    assert read_usage({"usage": usage}) == expected
    completion = ask_canned({**chat_body("It is."), "usage": usage})
    assert completion.is_usage_known is (expected is not None)
    assert completion.usage == (expected or TokenUsage())


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        (0.25, 0.25),
        (0, 0.0),
        (None, None),
        ("1", None),
        (-1, None),
        (True, None),
        (1e999, None),
        (1e300, None),
    ],
)
def test_a_reported_cost_is_read(cost: Any, expected: float | None) -> None:
    assert read_cost({"usage": {**GOOD, "cost": cost}}) == expected
    completion = ask_canned({**chat_body("It is."), "usage": {**GOOD, "cost": cost}})
    assert completion.reported_cost == expected


@pytest.mark.parametrize(
    ("upstream", "expected"), [(2.5, 2.75), (0, 0.25), (None, None), (-1, None), ("2.5", None)]
)
def test_the_charge_of_the_provider_behind_a_key_of_ones_own_is_added(
    upstream: Any, expected: float | None
) -> None:
    usage = {"cost": 0.25, "is_byok": True, "cost_details": {"upstream_inference_cost": upstream}}
    assert read_cost({"usage": {**GOOD, **usage}}) == expected
    assert read_cost({"usage": {**GOOD, **usage, "is_byok": False}}) == 0.25


@pytest.mark.parametrize(
    ("body", "error_class"),
    [
        ({**chat_body(""), "choices": []}, MalformedAnswerError),
        (chat_body("", finish_reason="content_filter"), ContentFilterError),
        ({**chat_body("half"), "choices": [{"finish_reason": "error"}]}, MalformedAnswerError),
    ],
)
def test_an_answer_that_cannot_be_used_is_charged(
    body: dict[str, Any], error_class: type[LanguageModelError]
) -> None:
    with pytest.raises(error_class) as caught:
        ask_canned({**body, "usage": {**GOOD, "cost": 0.5}})
    error = caught.value
    assert (error.is_charged, error.usage, error.reported_cost) == ("yes", TokenUsage(12, 3), 0.5)
    with pytest.raises(error_class) as caught:
        ask_canned({**body, "usage": None})
    assert (caught.value.is_charged, caught.value.usage) == ("yes", None)


@pytest.mark.parametrize(
    ("body", "status", "is_charged"),
    [
        (b'{"choices": [{"mess', 200, "unknown"),
        ({"error": {"message": "overloaded", "code": 503}}, 200, "no"),
        ({"error": {"message": "overloaded"}}, 503, "no"),
        ({"error": {"message": "Gateway timeout"}}, 504, "unknown"),
        (b"<html>error code: 524</html>", 524, "unknown"),
    ],
)
def test_a_lost_answer_may_be_charged_and_a_refusal_is_not(
    body: Any, status: int, is_charged: str
) -> None:
    with pytest.raises(LanguageModelError) as caught:
        ask_canned(body, status)
    assert caught.value.is_charged == is_charged


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=3))
def test_no_usage_raises(value: Any) -> None:
    names = ("prompt_tokens", "completion_tokens", "total_tokens", "cost")
    for body in (value, {"usage": value}, {"usage": dict.fromkeys(names, value)}):
        read_usage(body)
        read_cost(body)
