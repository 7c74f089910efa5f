"""Readable YAML, loaded with PyYAML."""

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nip.utils.readable_yaml import dump_readable

TEXT = st.text(max_size=30) | st.text("a b\n\t:#-|'\"\\\r\x85\u2028yé", max_size=15)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | TEXT
    | st.sampled_from(["yes", "Null", "1e3", "0x1", "2020-01-01", "- a", "a: b", "=", "<<", "~"])
)
TREES = st.recursive(
    SCALARS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(TEXT, below, max_size=3),
    max_leaves=8,
)


@given(st.lists(TREES, max_size=3) | st.dictionaries(TEXT, TREES, max_size=3))
def test_what_was_written_is_read(tree):
    assert yaml.safe_load(dump_readable(tree)) == tree


@given(st.lists(st.text("a \n", max_size=8), min_size=1, max_size=3))
def test_blank_lines_and_spaces_survive(texts):
    tree = {"texts": texts, "nested": [{"text": text} for text in texts]}
    assert yaml.safe_load(dump_readable(tree)) == tree


def test_texts_stand_as_they_are():
    tree = {
        "verdict": "accept",
        "rounds": [{"text": "Is `a < b`? \n\n  Decision: accept\n", "cut": False}],
    }
    assert dump_readable(tree).splitlines() == [
        "verdict: accept",
        "rounds:",
        "  - text: |",
        "      Is `a < b`? ",
        "",
        "        Decision: accept",
        "    cut: false",
    ]


def test_numbers_that_are_none():
    tree = yaml.safe_load(dump_readable([math.nan, math.inf, -math.inf, 1e-7, 1e22]))
    assert math.isnan(tree[0])
    assert tree[1:] == [math.inf, -math.inf, 1e-7, 1e22]


def test_other_things_are_refused():
    with pytest.raises(TypeError, match="Only plain data can be dumped, got"):
        dump_readable({"a": object()})
    with pytest.raises(TypeError, match="keys of a mapping must be strings, got 3"):
        dump_readable({3: "a"})
    with pytest.raises(TypeError, match="root must be a mapping or a sequence"):
        dump_readable("a")
