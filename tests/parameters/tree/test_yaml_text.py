"""YAML is read as people mean it, and written so that everybody reads the same."""

import math

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from nip.errors import ParameterError
from nip.parameters.tree.yaml_text import dump, load_mapping


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 1e5),
        ("-2.5e-3", -0.0025),
        ("+1e3", 1000.0),
        (".5e1", 5.0),
        ("1.0e-3", 0.001),
        ("0.5", 0.5),
        ("3", 3),
        ("true", True),
        ("null", None),
        ("e3", "e3"),
        ("1e", "1e"),
        ("'1e-3'", "1e-3"),
        (".inf", math.inf),
    ],
)
def test_scalars_are_what_they_look_like(text: str, value: object) -> None:
    loaded = load_mapping(f"a: {text}")["a"]
    assert loaded == value
    assert type(loaded) is type(value)


@given(
    st.dictionaries(
        st.text(st.characters(codec="ascii", categories=["L", "N"])),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(st.characters(codec="ascii")),
    )
)
@example({"next_line": "\x85", "others": "a\u2028\n\u2029 \ufeff"})
def test_what_is_written_is_read_here_and_elsewhere(tree: dict[str, object]) -> None:
    assert load_mapping(dump(tree)) == tree
    assert yaml.safe_load(dump(tree)) == tree


def test_the_order_is_kept() -> None:
    assert dump({"b": 1, "a": 2}) == "b: 1\na: 2\n"


@pytest.mark.parametrize(
    "text", ["a: [", "- a", "", "just text", "!!python/object:os.system {}", "\x07"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="YAML"):
        load_mapping(text)
