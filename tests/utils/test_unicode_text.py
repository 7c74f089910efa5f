from hypothesis import given
from hypothesis import strategies as st

from nip.utils.unicode_text import valid_unicode


def test_halves_of_surrogate_pairs_are_joined_or_replaced() -> None:
    assert valid_unicode("a \ud83d\ude00 b") == "a \U0001f600 b"
    assert valid_unicode("a \ud800 b\udfff") == "a � b�"


@given(st.text())
def test_what_is_valid_stays_as_it_is(text: str) -> None:
    assert valid_unicode(text) == text


@given(st.text(st.characters()))
def test_everything_can_be_written_to_a_file(text: str) -> None:
    valid_unicode(text).encode("utf-8")
