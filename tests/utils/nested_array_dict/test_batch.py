"""Entries of a ``NestedArrayDict``: reading, setting, selecting."""

import numpy as np
import pytest
from hypothesis import given

from nip.errors import UnknownNameError
from nip.utils.nested_array_dict import NestedArrayDict
from nip.utils.nested_array_dict.string_arrays import STRING
from tests.utils.nested_array_dict.example_batches import batches, example


def test_entries_are_reached_by_name_and_by_path():
    batch = example()
    assert batch["y"].tolist() == [0, 1, 1]
    assert batch["agents", "text"].tolist() == ["a", None, "c"]
    assert batch["agents"]["reward"][2].tolist() == [4.0, 5.0]
    assert isinstance(batch["agents"], NestedArrayDict)
    assert (batch.batch_size, batch.shape, len(batch)) == ((3,), (3,), 3)


def test_numeric_arrays_are_kept_and_not_copied():
    array = np.zeros((3, 4), dtype=np.float32)
    assert NestedArrayDict({"x": array}, 3)["x"] is array


@pytest.mark.parametrize(
    "strings",
    [
        ["a", "b\0", "né→"],
        np.array(["a", "bb", "c"]),
        np.array(["a", None, "c"], dtype=object),
        np.array(["a", "b", "c"], dtype=np.dtypes.StringDType()),
        [None, None, None],
    ],
)
def test_all_kinds_of_strings_become_one_kind(strings):
    array = NestedArrayDict({"x": strings}, 3)["x"]
    assert array.dtype == STRING
    assert array.tolist() == list(strings)


def test_names_tell_where_they_lead():
    batch = example()
    assert "y" in batch and ("agents", "text") in batch and "agents" in batch
    assert "x" not in batch and ("y", "text") not in batch and () not in batch and 0 not in batch
    assert batch.get("x", 5) == 5 and batch.get(("agents", "no")) is None
    assert batch.get("y") is batch["y"]
    assert batch.keys() == ["y", "agents"]
    assert batch.keys(True) == ["y", "agents", ("agents", "text"), ("agents", "reward")]
    assert batch.keys(True, True) == ["y", ("agents", "text"), ("agents", "reward")]
    assert [key for key, _ in batch.items()] == ["y", "agents"]


def test_entering_makes_the_dictionaries_on_the_way():
    batch = NestedArrayDict({}, (2,))
    batch["a", "b", "c"] = [1.0, 2.0]
    batch["a", "d"] = ["x", "y"]
    assert batch["a"]["b"]["c"].tolist() == [1.0, 2.0]
    del batch["a", "b"]
    assert batch.keys(True, True) == [("a", "d")]


def test_an_entry_of_an_entry_can_be_set_through_the_entry():
    batch = example()
    batch["agents"]["seen"] = [True, False, True]
    assert batch["agents", "seen"].tolist() == [True, False, True]


def test_update_joins_what_is_nested():
    batch = example().update({"z": [1, 2, 3], "agents": {"turn": [0, 0, 1]}})
    assert batch.keys(True, True)[1:4] == [
        ("agents", "text"),
        ("agents", "reward"),
        ("agents", "turn"),
    ]
    assert "z" in batch


def test_select_and_exclude():
    batch = example()
    assert batch.select(("agents", "text")).keys(True, True) == [("agents", "text")]
    assert batch.exclude(("agents", "text"), "y").keys(True, True) == [("agents", "reward")]
    assert ("agents", "text") in batch, "the original keeps its entries"


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("agnts", "There is no entry 'agnts'. Did you mean 'agents'?"),
        (("agents", "texts"), "no entry in 'agents' called 'texts'. Did you mean 'text'?"),
        (("y", "x"), r"no entry \('y', 'x'\): 'y' is an array of shape \(3,\)"),
    ],
)
def test_an_unknown_name_is_answered_with_the_closest_one(key, words):
    with pytest.raises(UnknownNameError, match=words):
        example()[key]
    with pytest.raises(KeyError):
        del example()[key]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([1, 2], r"'x' has the shape \(2,\), which must begin with the batch size \(3,\)"),
        (1.0, r"'x' has the shape \(\)"),
        ({"z": [1, 2]}, r"\('x', 'z'\) has the shape \(2,\)"),
        (["a", 1, "b"], "'x' mixes strings with 1 of type int"),
        ([[1], [2, 3], [4]], "'x' is ragged"),
        ([1, None, 2], "'x' is ragged or has elements other"),
        (["\ud800", "", ""], "'x' has a string that is not valid Unicode"),
        (np.array([b"a", b"b", b"c"]), "'x' has the type |S1"),
        ([object()] * 3, "'x' is ragged or has elements other"),
    ],
)
def test_what_does_not_fit_is_named_with_its_shape(value, words):
    batch = example()
    with pytest.raises(ValueError, match=words):
        batch["x"] = value
    assert batch == example()


def test_an_array_has_no_entries():
    batch = example()
    with pytest.raises(ValueError, match=r"\('y', 'x'\) cannot be set: \('y',\) is an array"):
        batch["y", "x"] = [1, 2, 3]
    with pytest.raises(TypeError, match="must be a string, got 3"):
        NestedArrayDict({3: [1]}, 1)
    with pytest.raises(ValueError, match="must not be negative"):
        NestedArrayDict({}, -1)
    with pytest.raises(TypeError, match="ambiguous"):
        bool(batch)
    with pytest.raises(TypeError, match="no length"):
        len(batch[0])


def test_rows_are_gone_over_in_order():
    assert [row["y"].item() for row in example()] == [0, 1, 1]


def test_a_part_is_overwritten_in_all_entries():
    batch = example()
    batch[1] = {"y": 7, "agents": {"text": "new", "reward": [8.0, 9.0]}}
    batch[np.array([True, False, True])] = example()[:2]
    assert batch["y"].tolist() == [0, 7, 1]
    assert batch["agents", "text"].tolist() == ["a", "new", None]
    assert batch["agents", "reward"].tolist() == [[0, 1], [8, 9], [2, 3]]


def test_a_part_that_does_not_fit_is_refused_whole():
    batch = example()
    fitting = {"y": 7, "agents": {"text": "new", "reward": [8.0, 9.0]}}
    with pytest.raises(ValueError, match="differ in 'agents'"):
        batch[0] = {"y": 1}
    with pytest.raises(ValueError, match=r"part of 'y' must be int64\[\], got float64\[\]"):
        batch[0] = {**fitting, "y": 1.5}
    with pytest.raises(ValueError, match=r"'reward'\) must be float64\[2\], got str\[2\]"):
        batch[0] = {"y": 7, "agents": {"text": "new", "reward": ["a", "b"]}}
    with pytest.raises(ValueError, match=r"part of 'y' must be int64\[2\], got int64\[3\]"):
        batch[:2] = example()
    assert batch == example()


@given(batch=batches((3, 2)))
def test_reshaping_keeps_the_order_of_the_rows(batch):
    flat = batch.reshape(-1)
    assert flat.batch_size == (6,)
    assert flat[3] == batch[1, 1]
    assert flat.reshape(3, 2) == batch


@given(batch=batches((3, 2)))
def test_a_copy_is_equal_and_independent(batch):
    copy = batch.copy()
    assert copy == batch and copy.equals(batch)
    copy[0] = copy[1]
    copy["new"] = np.zeros((3, 2))
    assert "new" not in batch
    for key, array in batch.items(True, True):
        assert not np.shares_memory(copy[key], array)


def test_equality_is_about_names_shapes_kinds_and_values():
    batch = example()
    assert batch != batch.exclude("y")
    assert batch != batch.reshape(1, 3)
    assert batch != "batch"
    assert NestedArrayDict({"x": [1]}, 1) != NestedArrayDict({"x": [1.0]}, 1)
    assert NestedArrayDict({"x": [np.nan]}, 1) == NestedArrayDict({"x": [np.nan]}, 1)
    assert NestedArrayDict({"x": [None]}, 1) != NestedArrayDict({"x": [""]}, 1)
    assert NestedArrayDict({"x": [1]}, 1) != NestedArrayDict({"x": {"a": [1]}}, 1)


def test_repr_shows_names_types_and_shapes():
    assert repr(example()).splitlines() == [
        "NestedArrayDict({",
        "    'y': int64[3]",
        "    ('agents', 'text'): str[3]",
        "    ('agents', 'reward'): float64[3, 2]",
        "}, batch_size=(3,))",
    ]
