"""Texts are measured, and cut, by one rule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.language_models.server.tokens import count_tokens, cut_to_tokens


@pytest.mark.parametrize(("words", "tokens"), [(0, 0), (1, 2), (2, 3), (3, 4), (150, 200)])
def test_three_words_are_four_tokens(words: int, tokens: int) -> None:
    assert count_tokens("word " * words) == tokens


@given(st.text(alphabet="ab \n\t", max_size=60), st.integers(0, 40))
def test_a_cut_text_is_the_beginning_and_as_long_as_may_be(text: str, limit: int) -> None:
    cut = cut_to_tokens(text, limit)
    assert text.startswith(cut) and count_tokens(cut) <= limit
    if cut != text:
        next_word = text[len(cut) :].split()[:1]
        assert count_tokens(" ".join([cut, *next_word])) > limit
