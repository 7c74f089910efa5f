"""Chat requests are parsed and validated; texts are measured and cut by one rule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.language_models.chat import cut_at_stop
from nip.language_models.server.chat_request import (
    ChatRequest,
    count_prompt_tokens,
    count_tokens,
    cut_to_tokens,
)
from nip.language_models.server.errors import ApiError

BODY = {"model": "m", "messages": [{"role": "user", "content": "one two three"}]}


def test_a_request_is_parsed() -> None:
    request = ChatRequest.from_body(
        {**BODY, "n": 2, "temperature": 1, "max_completion_tokens": 7, "seed": 3, "stop": "."}
    )
    assert request.stop == (".",)
    assert (request.model, request.num_choices, request.seed()) == ("m", 2, 3)
    assert (request.sampling.temperature, request.sampling.max_tokens) == (1.0, 7)
    # 4 tokens delimit a message, 3 words count as 4.
    assert count_prompt_tokens(request.messages) == 8


def test_only_the_content_decides_digest_and_seed() -> None:
    plain, streamed = (ChatRequest.from_body({**BODY, **more}) for more in ({}, {"stream": True}))
    assert plain.digest() == streamed.digest() and plain.seed() == streamed.seed()
    hotter = ChatRequest.from_body({**BODY, "temperature": 0.5})
    assert hotter.digest() != plain.digest() and hotter.seed() == plain.seed()
    assert not streamed.includes_usage and plain.includes_usage


@pytest.mark.parametrize(
    ("change", "param", "message"),
    [
        ({"model": ""}, "model", "You must provide a model"),
        ({"messages": []}, "messages", "at least one message"),
        ({"messages": ["hi"]}, "messages[0]", "role and content"),
        ({"messages": [{"role": "tool", "content": ""}]}, "messages[0].role", "one of system"),
        ({"temperature": 2.5}, "temperature", "a number from 0 to 2, got 2.5"),
        ({"n": 1.5}, "n", "an integer from 1 to 128, got 1.5"),
        ({"seed": True}, "seed", "an integer"),
        ({"n": "2"}, "n", "an integer from 1 to 128, got '2'"),
        ({"temperature": float("nan")}, "temperature", "a number from 0 to 2, got nan"),
        ({"max_tokens": 5, "max_completion_tokens": 7}, "max_tokens", "must not both be set"),
        ({"stream": "yes"}, "stream", "stream must be true or false, got 'yes'"),
        ({"stream_options": {}}, "stream_options", "requires stream=true"),
        ({"stream": True, "stream_options": {"usage": True}}, "stream_options", "no field 'usage'"),
        (
            {"stream": True, "stream_options": {"include_usage": 1}},
            "stream_options.include_usage",
            "must be true or false, got 1",
        ),
        ({"stop": ""}, "stop", "none of them empty"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop", "a list of at most 4 strings"),
        ({"stop": 3}, "stop", "must be a string"),
        ({"reasoning_effort": "hard"}, "reasoning_effort", "one of none, minimal, low"),
        ({"user": 3}, "user", "must be a string"),
        ({"service_tier": "flex"}, "service_tier", "auto or default"),
        ({"tools": []}, "tools", "does not support tools"),
        ({"tool_choice": "auto"}, "tool_choice", "does not support tool_choice"),
        ({"functions": [{"name": "f"}]}, "functions", "does not support functions"),
        ({"response_format": {"type": "json_object"}}, "response_format", "does not support"),
        ({"logprobs": True}, "logprobs", "does not support logprobs"),
        ({"logprobs": 0}, "logprobs", "does not support logprobs"),
        ({"top_logprobs": 2}, "top_logprobs", "does not support top_logprobs"),
        ({"presence_penalty": 0.5}, "presence_penalty", "does not support presence_penalty"),
        ({"logit_bias": {"50256": -100}}, "logit_bias", "does not support logit_bias"),
        ({"temprature": 1}, "temprature", "Unrecognized.*Did you mean 'temperature'"),
        ({"top_k": 20}, "top_k", "Unrecognized request argument supplied: top_k"),
        (
            {"messages": [{"role": "user", "content": None}]},
            "messages[0].content",
            "must be a string or a list of text parts",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "text": "a"}]}]},
            "messages[0].content",
            "only text parts",
        ),
        (
            {"messages": [{"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}]},
            "messages[0].tool_calls",
            "does not support",
        ),
    ],
)
def test_invalid_fields_are_named(change, param: str, message: str) -> None:
    with pytest.raises(ApiError, match=message) as caught:
        ChatRequest.from_body({**BODY, **change})
    assert (caught.value.status, caught.value.param) == (400, param)


@pytest.mark.parametrize(
    "change",
    [
        {"n": None, "stop": None, "tools": None, "response_format": None, "stream_options": None},
        {"response_format": {"type": "text"}, "logprobs": False, "presence_penalty": 0},
        {"logit_bias": {}, "modalities": ["text"], "store": False, "tool_choice": "none"},
        {"user": "me", "metadata": {"a": "b"}, "service_tier": "auto", "stream": False},
    ],
)
def test_fields_that_ask_for_nothing_change_nothing(change) -> None:
    changed, plain = (ChatRequest.from_body({**BODY, **more}) for more in (change, {}))
    assert changed == plain and changed.digest() == plain.digest()


@pytest.mark.parametrize(
    ("message", "content"),
    [
        ({"content": None}, ""),
        ({}, ""),
        ({"content": None, "refusal": "No.", "tool_calls": None, "annotations": []}, "No."),
        ({"content": [{"type": "refusal", "refusal": "No."}]}, "No."),
        ({"content": "Yes.", "name": "verifier"}, "Yes."),
    ],
)
def test_an_assistant_may_have_said_nothing(message, content: str) -> None:
    messages = [*BODY["messages"], {"role": "assistant", **message}]
    request = ChatRequest.from_body({**BODY, "messages": messages})
    assert request.messages[-1] == {"role": "assistant", "content": content}


def test_stop_sequences_and_effort_are_part_of_the_request() -> None:
    plain, stopped, thoughtful = (
        ChatRequest.from_body({**BODY, **more})
        for more in ({}, {"stop": ["x"]}, {"reasoning_effort": "low"})
    )
    assert len({plain.digest(), stopped.digest(), thoughtful.digest()}) == 3


@pytest.mark.parametrize(
    ("stop", "expected"),
    [((), "a. b; c"), ((".",), "a"), ((";", "."), "a"), (("z",), "a. b; c"), (("a",), "")],
)
def test_a_text_is_cut_before_the_first_stop_sequence(stop, expected: str) -> None:
    assert cut_at_stop("a. b; c", stop) == expected


@pytest.mark.parametrize(("words", "tokens"), [(0, 0), (1, 2), (2, 3), (3, 4), (150, 200)])
def test_three_words_are_four_tokens(words: int, tokens: int) -> None:
    assert count_tokens("word " * words) == tokens


@given(st.text(alphabet="ab \n\t", max_size=60), st.integers(0, 40))
def test_a_cut_text_is_the_longest_prefix_within_the_limit(text: str, limit: int) -> None:
    cut = cut_to_tokens(text, limit)
    assert text.startswith(cut) and count_tokens(cut) <= limit
    if cut != text:
        next_word = text[len(cut) :].split()[:1]
        assert count_tokens(" ".join([cut, *next_word])) > limit
