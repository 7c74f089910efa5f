import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from nip.utils.unicode_text import escape_controls, valid_unicode, visible


def test_halves_of_surrogate_pairs_are_joined_or_replaced() -> None:
    assert valid_unicode("a \ud83d\ude00 b") == "a \U0001f600 b"
    assert valid_unicode("a \ud800 b\udfff") == "a � b�"


@given(st.text())
def test_what_is_valid_stays_as_it_is(text: str) -> None:
    assert valid_unicode(text) == text


@given(st.text(st.characters()))
def test_everything_can_be_written_to_a_file(text: str) -> None:
    valid_unicode(text).encode("utf-8")


def test_control_characters_are_shown_and_everything_else_stays():
    assert visible("\x1b[31m\x00\x07\x9b\x7f\u202eabc\u2069") == (
        r"\x1b[31m\x00\x07\x9b\x7f\u202eabc\u2069"
    )
    # Tabs, line ends, emoji of several characters, and right-to-left scripts.
    for text in ("a\tb\nc\r\nd", "👩\u200d💻", "שלום\u200f", "\xa0é\u2028"):
        assert visible(text) == text
    assert visible("100 %\r0 %") == r"100 %\x0d0 %"


@given(st.text())
def test_nothing_that_a_terminal_obeys_is_left(text):
    shown = visible(text).replace("\r\n", "\n")
    bidi = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    assert not any(
        (unicodedata.category(each) == "Cc" and each not in "\n\t") or each in bidi
        for each in shown
    )


@given(st.dictionaries(st.text(), st.text()))
def test_escaped_json_is_equal_and_has_no_control_characters(tree):
    text = escape_controls(json.dumps(tree, ensure_ascii=False))
    assert json.loads(text) == tree
    assert visible(text) == text
