"""Conversion of values to arrays of numbers, booleans or strings."""

import numpy as np
import pytest

from nip.utils.nested_array_dict.string_arrays import (
    STRING,
    as_array,
    is_string_array,
    kind_of,
    may_replace,
)


def test_numbers_and_strings_of_the_supported_type_are_not_copied():
    for array in (np.zeros(3, dtype=np.float32), np.array(["a", None], dtype=STRING)):
        assert as_array(array) is array


@pytest.mark.parametrize(
    ("value", "kind", "items"),
    [
        ([1, 2], "int64", [1, 2]),
        ([True, False], "bool", [True, False]),
        (0.5, "float64", 0.5),
        (["a", None], "str", ["a", None]),
        ("word", "str", "word"),
        (np.array(["a", "bb"]), "str", ["a", "bb"]),
        (np.array([1, 2], dtype=object), "int64", [1, 2]),
        ([None, None], "str", [None, None]),
    ],
)
def test_values_become_arrays_of_one_kind(value, kind, items):
    array = as_array(value)
    assert kind_of(array) == kind
    assert is_string_array(array) == (kind == "str")
    assert array.tolist() == items


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([1.0], [1], True),
        ([1], [1.5], False),
        (["a"], ["b"], True),
        (["a"], [1], False),
        ([1], ["a"], False),
    ],
)
def test_a_replacement_must_keep_the_kind(old, new, expected):
    assert may_replace(as_array(old), as_array(new)) is expected
