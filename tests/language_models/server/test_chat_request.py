"""Chat requests are parsed and validated; texts are measured and cut by one rule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        {**BODY, "n": 2, "temperature": 1, "max_tokens": 5, "max_completion_tokens": 7, "seed": 3}
    )
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
    ],
)
def test_invalid_fields_are_named(change, param: str, message: str) -> None:
    with pytest.raises(ApiError, match=message) as caught:
        ChatRequest.from_body({**BODY, **change})
    assert (caught.value.status, caught.value.param) == (400, param)


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
