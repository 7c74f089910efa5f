"""Types are exact, bounds hold, and messages say what would be right."""

import math
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from annotated_types import Ge, Gt, Le, Lt
from hypothesis import given
from hypothesis import strategies as st

from nip.parameters.fields.validation import check_value, describe

Bounded = Annotated[float, Gt(0), Lt(1)]


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (int, 3, 3),
        (float, 3, 3.0),
        (float, 0.5, 0.5),
        (bool, True, True),
        (bool | float, True, True),
        (bool | float, 1, 1.0),
        (int | None, None, None),
        (str, "", ""),
        (Literal["a", "b"], "a", "a"),
        (Literal["a", "b"] | str, "c", "c"),
        (tuple[int, ...], [1, 2], (1, 2)),
        (tuple[tuple[str, ...], ...] | None, [["a"], ["b", "c"]], (("a",), ("b", "c"))),
        (list[str], ["a"], ["a"]),
        (int, np.int64(3), 3),
        (float, np.float64(0.5), 0.5),
        (float, np.float32(0.5), 0.5),
        (bool, np.bool_(True), True),
    ],
)
def test_values_of_the_right_type_are_taken(annotation: Any, value: Any, expected: Any) -> None:
    taken = check_value(annotation, value, "name")
    assert taken == expected
    assert type(taken) is type(expected)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, True),
        (int, 1.5),
        (int, 1.0),
        (int, "1"),
        (float, "1e-3"),
        (float, True),
        (float, None),
        (float, math.nan),
        (float, math.inf),
        (float, -math.inf),
        (bool, 1),
        (bool, "true"),
        (str, 1),
        (Literal["a", "b"], "c"),
        (Literal["a", "b"] | None, "None"),
        (tuple[int, ...], 1),
        (tuple[int, ...], "12"),
        (tuple[int, ...], [1, 2.5]),
        (tuple[int, int], [1, 2, 3]),
        (Annotated[int, Ge(1)], 0),
        (Bounded, 0.0),
        (Bounded, 1),
        (int, np.array([1])),
        (int, np.float64(1.0)),
        (int, {}),
    ],
)
def test_values_of_a_wrong_type_or_range_are_refused(annotation: Any, value: Any) -> None:
    with pytest.raises(ValueError, match=r"^rl\.x must be "):
        check_value(annotation, value, "rl.x")


FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=32, allow_subnormal=False)


@given(FLOATS)
def test_bounds_are_kept_to_the_last_digit(value: float) -> None:
    is_inside = 0 < value < 1
    try:
        assert check_value(Bounded, value, "name") == value
        assert is_inside
    except ValueError:
        assert not is_inside


@pytest.mark.parametrize(
    ("annotation", "value", "default", "message"),
    [
        (
            Annotated[int, Ge(1)],
            -3,
            64,
            "rl.x must be an integer, at least 1, got -3. The default is 64.",
        ),
        (Bounded, "a", ..., "rl.x must be a finite number, above 0 and below 1, got 'a'."),
        (
            Literal["clip", "kl_penalty"],
            "clap",
            "clip",
            "rl.x must be one of 'clip', 'kl_penalty', got 'clap'. Did you mean 'clip'? "
            "The default is 'clip'.",
        ),
        (
            float,
            "1e-3",
            ...,
            "rl.x must be a finite number, got '1e-3'. Write the number without quotes (plain YAML "
            "reads 1e-3 as text: 1.0e-3).",
        ),
        (int | None, 1.5, None, "rl.x must be an integer or None, got 1.5. The default is None."),
    ],
)
def test_the_message_names_rule_value_and_way_out(
    annotation: Any, value: Any, default: Any, message: str
) -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        check_value(annotation, value, "rl.x", default)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (Annotated[float, Ge(0), Le(1)], "a finite number, at least 0 and at most 1"),
        (Annotated[int, Ge(1)] | None, "an integer, at least 1, or None"),
        (bool | Annotated[float, Gt(0)], "True or False, or a finite number, above 0"),
        (Literal["y"], "'y'"),
        (Literal["a", "b"] | str, "a string, such as 'a', 'b'"),
        (str | None, "a string or None"),
        (tuple[str, ...], "a list (each item a string)"),
        (Any, "anything"),
    ],
)
def test_annotations_are_put_in_words(annotation: Any, words: str) -> None:
    assert describe(annotation) == words
