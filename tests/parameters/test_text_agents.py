"""What agents that are language models must be given, beyond the types."""

from typing import Any

import pytest

from nip.errors import ParameterError
from nip.parameters import CodeValidationAgentParameters


@pytest.mark.parametrize("name", [None, "OPENAI_API_KEY", "entrance_2", "_x"])
def test_a_key_is_named_by_its_variable(name: str | None) -> None:
    assert CodeValidationAgentParameters(api_key_variable=name).api_key_variable == name


@pytest.mark.parametrize("key", ["sk-a-key-itself-0123", "", "a key", "$KEY", "2nd", "KEY\n"])
def test_a_key_itself_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(ParameterError, match="must be the name of an environment var") as raised:
        CodeValidationAgentParameters(api_key_variable=key)
    assert "sk-" not in str(raised.value)


def test_requests_of_reasoning_models_can_be_described() -> None:
    extra = {"top_k": 20, "chat_template_kwargs": {"enable_thinking": True}, "user": None}
    params = CodeValidationAgentParameters(
        reasoning_effort="low", send_seed=False, token_limit_name="max_tokens", extra_body=extra
    )
    again = CodeValidationAgentParameters.from_dict(params.to_dict())
    assert again == params and again.extra_body == extra


@pytest.mark.parametrize(
    ("given", "limit"),
    [
        # Two tokens for each of 100 words, and 64.
        ({}, 264),
        ({"reasoning_effort": "none"}, 264),
        ({"reasoning_effort": "low"}, 264 + 8192),
        ({"reasoning_effort": "low", "max_tokens_per_message": 1000}, 1000),
    ],
)
def test_reasoning_has_tokens_of_its_own(given: dict[str, Any], limit: int) -> None:
    assert CodeValidationAgentParameters(max_response_words=100, **given).token_limit == limit


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"reasoning_effort": "lo"}, "reasoning_effort must be one of .* Did you mean 'low'"),
        ({"token_limit_name": "max_token"}, "token_limit_name must .* Did you mean 'max_tokens'"),
        ({"extra_body": "top_k=20"}, "extra_body must be a mapping or None, got 'top_k=20'"),
        ({"extra_body": {"model": "x"}}, "must not contain 'model'.*Set model_name"),
        ({"extra_body": {"n": 2}}, "must not contain 'n'"),
        ({"extra_body": {"max_tokens": 2}}, "must not contain 'max_tokens'.*token_limit_name"),
        ({"extra_body": {"x": {1, 2}}}, "extra_body must be a mapping or None"),
        ({"extra_body": {"x": float("nan")}}, "extra_body must be a mapping or None"),
    ],
)
def test_requests_that_no_service_understands_are_refused(
    given: dict[str, Any], message: str
) -> None:
    with pytest.raises(ParameterError, match=message):
        CodeValidationAgentParameters(**given)
