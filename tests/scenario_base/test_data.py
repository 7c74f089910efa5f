"""Tensor datasets, and the endless shuffled order of their datapoints."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nip.scenario_base.data import EndlessShuffledOrder, TensorDataset


@given(
    size=st.integers(1, 9), counts=st.lists(st.integers(0, 12), max_size=8), seed=st.integers(0, 9)
)
def test_every_pass_draws_each_datapoint_once(size, counts, seed):
    order = EndlessShuffledOrder(size, seed)
    drawn = [index for count in counts for index in order.draw(count).tolist()]
    assert len(drawn) == sum(counts)
    for start in range(0, len(drawn), size):
        a_pass = drawn[start : start + size]
        assert len(set(a_pass)) == len(a_pass)
        assert set(a_pass) <= set(range(size))


@given(first=st.lists(st.integers(0, 7), max_size=5), then=st.lists(st.integers(0, 7), max_size=5))
def test_a_stored_order_goes_on_where_it_was(first, then):
    order, other = EndlessShuffledOrder(5, seed=1), EndlessShuffledOrder(5, seed=2)
    for count in first:
        order.draw(count)
    stored = order.state_dict()
    expected = [order.draw(count).tolist() for count in then]
    other.load_state_dict(stored)
    assert [other.draw(count).tolist() for count in then] == expected


def test_successive_passes_are_shuffled_differently():
    order = EndlessShuffledOrder(50, seed=0)
    passes = [tuple(order.draw(50).tolist()) for _ in range(3)]
    assert len({*passes, tuple(range(50))}) == 4


def test_an_empty_dataset_is_refused():
    with pytest.raises(ValueError, match="at least 1 datapoint"):
        EndlessShuffledOrder(0, seed=0)


def test_keys_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"'a' has 3 rows, but there are 2 labels"):
        TensorDataset({"a": torch.zeros(3)}, torch.zeros(2), message_shape=(4,))
