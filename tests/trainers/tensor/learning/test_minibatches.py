"""Minibatches of frames: which, how many, and of several ranks whose."""

import pytest
import torch
from tensordict import TensorDict

from nip.trainers.tensor.learning import minibatches as module
from nip.trainers.tensor.learning.minibatches import EpisodeMinibatches, ShuffledMinibatches
from nip.utils.ranks import Ranks


def batch_of(first: int, num_environments: int, num_steps: int) -> TensorDict:
    """Return frames that are numbered, with an entry ``next`` which is not learnt from."""
    shape = num_environments, num_steps
    numbers = torch.arange(first, first + num_environments * num_steps).reshape(shape)
    return TensorDict({"number": numbers, "next": {"done": numbers > 0}}, batch_size=shape)


def numbers(divided) -> list[list[int]]:
    return [minibatch["number"].tolist() for minibatch in divided]


def test_an_epoch_takes_each_frame_at_most_once_and_leaves_out_what_fills_no_minibatch():
    minibatches = ShuffledMinibatches(4, seed=1, num_frames=15, num_epochs=2)
    first, second = (list(minibatches.of(batch_of(0, 5, 3))) for _ in range(2))
    assert (minibatches.num_per_epoch, len(minibatches)) == (3, 6)
    for epoch in (first, second):
        assert [len(minibatch) for minibatch in epoch] == [4, 4, 4]
        taken = [number for minibatch in numbers(epoch) for number in minibatch]
        assert len(set(taken)) == 12 and set(taken) <= set(range(15))
    assert numbers(first) != numbers(second)
    assert "next" not in first[0].keys()


def test_the_order_is_the_permutation_of_its_seed():
    order = torch.randperm(6, generator=torch.Generator().manual_seed(8)).tolist()
    minibatches = ShuffledMinibatches(3, seed=8, num_frames=6)
    assert numbers(minibatches.of(batch_of(0, 2, 3))) == [order[:3], order[3:]]


def test_a_batch_that_is_smaller_than_a_minibatch_has_none():
    minibatches = ShuffledMinibatches(7, seed=1, num_frames=6, num_epochs=3)
    assert len(minibatches) == 0
    assert list(minibatches.of(batch_of(0, 2, 3))) == []


def test_loading_a_state_continues_with_the_same_orders():
    one, other = (ShuffledMinibatches(2, seed=seed, num_frames=8) for seed in (1, 2))
    list(one.of(batch_of(0, 2, 4)))
    other.load_state_dict(one.state_dict())
    for _ in range(2):
        assert numbers(one.of(batch_of(0, 2, 4))) == numbers(other.of(batch_of(0, 2, 4)))


@pytest.mark.parametrize("size", [2, 3])
def test_the_minibatches_of_several_ranks_are_together_those_of_their_joint_batch(
    size, monkeypatch
):
    joint = numbers(ShuffledMinibatches(5, seed=3, num_frames=4 * size).of(batch_of(0, size, 4)))
    parts = []
    for rank in range(size):
        monkeypatch.setattr(module, "current_ranks", lambda rank=rank: Ranks(rank, size))
        minibatches = ShuffledMinibatches(5, seed=3, num_frames=4 * size)
        parts.append(numbers(minibatches.of(batch_of(4 * rank, 1, 4))))
    for whole, *shares in zip(joint, *parts, strict=True):
        assert sorted(whole) == sorted(number for share in shares for number in share)


def test_minibatches_of_episodes_have_all_steps_of_an_environment_in_order():
    minibatches = EpisodeMinibatches(7, seed=1, num_environments=5, num_steps=3, num_epochs=2)
    assert (minibatches.num_per_epoch, len(minibatches)) == (2, 4)
    epochs = [list(minibatches.of(batch_of(0, 5, 3))) for _ in range(2)]
    assert numbers(epochs[0]) != numbers(epochs[1])
    for epoch in epochs:
        taken = [row for each in epoch for row in each["number"].view(2, 3).tolist()]
        assert all(row == list(range(row[0], row[0] + 3)) for row in taken)
        assert len({row[0] for row in taken}) == 4
        assert "next" not in epoch[0].keys()


@pytest.mark.parametrize(("size", "num_per_epoch"), [(1, 5), (3, 5), (100, 1)])
def test_minibatches_of_episodes_have_at_least_one_and_at_most_all_environments(
    size, num_per_epoch
):
    minibatches = EpisodeMinibatches(size, seed=1, num_environments=5, num_steps=3)
    assert len(list(minibatches.of(batch_of(0, 5, 3)))) == len(minibatches) == num_per_epoch


def test_a_state_of_minibatches_of_episodes_continues_with_the_same_orders():
    one, other = (
        EpisodeMinibatches(6, seed=seed, num_environments=6, num_steps=2) for seed in (1, 2)
    )
    list(one.of(batch_of(0, 6, 2)))
    other.load_state_dict(one.state_dict())
    assert numbers(one.of(batch_of(0, 6, 2))) == numbers(other.of(batch_of(0, 6, 2)))


def test_ranks_share_the_environments_of_each_minibatch(monkeypatch):
    whole = numbers(
        EpisodeMinibatches(4, seed=3, num_environments=4, num_steps=2).of(batch_of(0, 4, 2))
    )
    parts = []
    for rank in range(2):
        monkeypatch.setattr(module, "current_ranks", lambda rank=rank: Ranks(rank, 2))
        minibatches = EpisodeMinibatches(4, seed=3, num_environments=4, num_steps=2)
        parts.append(numbers(minibatches.of(batch_of(4 * rank, 2, 2))))
    for together, first, second in zip(whole, *parts, strict=True):
        assert sorted(together) == sorted(first + second)
