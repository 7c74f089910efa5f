"""Stacking and concatenating batches."""

import numpy as np
import pytest
from hypothesis import given

from nip.utils.nested_array_dict import NestedArrayDict, concatenate, stack
from tests.utils.nested_array_dict.example_batches import batches, example


@given(batch=batches((3, 2)))
def test_stacked_batches_come_apart_again(batch):
    for dim in (-3, -2, -1, 0, 1, 2):
        stacked = stack([batch, batch[::-1]], dim)
        place = (slice(None),) * (dim % 3)
        assert stacked.batch_size == np.stack([np.zeros((3, 2))] * 2, dim).shape
        assert stacked[(*place, 0)] == batch
        assert stacked[(*place, 1)] == batch[::-1]


@given(batch=batches((3, 2)))
def test_parts_that_are_concatenated_give_the_whole(batch):
    assert concatenate([batch[:1], batch[1:1], batch[1:]]) == batch
    assert concatenate([batch[:, :1], batch[:, 1:]], dim=-1) == batch
    assert concatenate([batch[:, :1], batch[:, 1:]], dim=1).batch_size == (3, 2)


def test_what_cannot_be_joined_is_named():
    batch = example()
    with pytest.raises(ValueError, match="Nothing to join"):
        stack([])
    with pytest.raises(ValueError, match=r"differ in \('agents', 'text'\)"):
        concatenate([batch, batch.exclude(("agents", "text"))])
    with pytest.raises(ValueError, match=r"'y' cannot be joined.*\(3,\), \(2,\)"):
        stack([batch, batch[:2]])
    with pytest.raises(ValueError, match=r"'y' cannot be joined: its types are int64, str"):
        stack([batch.select("y"), NestedArrayDict({"y": ["a", "b", "c"]}, 3)])
    with pytest.raises(ValueError, match="number 1 has"):
        concatenate([batch, batch.reshape(1, 3)])
    with pytest.raises(ValueError, match="dim must be a batch dimension, from -1 to 0, got 1"):
        concatenate([batch, batch], dim=1)
