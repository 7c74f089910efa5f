"""Indices along the batch dimensions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.utils.nested_array_dict import NestedArrayDict
from tests.utils.nested_array_dict.example_batches import batches, example

INDICES = st.sampled_from(
    [
        0,
        -1,
        np.int64(1),
        slice(1, None),
        slice(None, None, -2),
        Ellipsis,
        [2, 0, 0],
        [],
        np.array([[0, 1], [2, 2]]),
        [True, False, True],
        np.zeros((3, 2), dtype=bool),
        np.array([[True, False], [False, True], [True, True]]),
        (0, 1),
        (slice(1, 3), 0),
        (Ellipsis, 1),
        (0, Ellipsis),
        (Ellipsis, np.array([True, False])),
        (np.array([0, 2]), np.array([1, 1])),
        (np.array([True, False, True]), slice(None)),
        (slice(None), [1, 0, 1]),
    ]
)


@given(batch=batches((3, 2)), index=INDICES)
def test_selecting_is_numpys_selecting_along_the_batch_dimensions(batch, index):
    part = batch[index]
    assert part.batch_size == np.zeros((3, 2))[index].shape
    rows, columns = divmod(np.arange(6).reshape(3, 2)[index], 2)
    for key, array in batch.items(True, True):
        expected = NestedArrayDict({"x": array[rows, columns]}, part.batch_size)
        assert NestedArrayDict({"x": part[key]}, part.batch_size) == expected


@pytest.mark.parametrize(
    ("index", "words"),
    [
        ((0, 1), r"selects along 2 dimensions, the batch size \(3,\) has 1"),
        (np.zeros((3, 2), dtype=bool), r"mask of shape \(3, 2\) cannot select"),
        ([True, False], r"mask of shape \(2,\) cannot select from the batch size \(3,\)"),
        (3, "index 3 is out of bounds"),
    ],
)
def test_an_index_stays_within_the_batch(index, words):
    with pytest.raises(IndexError, match=words):
        example()[index]


def test_something_that_is_no_index_is_refused():
    with pytest.raises(TypeError, match="neither a name nor an index"):
        example()[1.5]


@given(batch=batches((3, 2)), index=INDICES)
def test_overwriting_a_part_with_itself_changes_nothing(batch, index):
    before = batch.copy()
    batch[index] = before[index]
    assert batch == before
