"""Rollouts that are played to look at: complete, repeatable, and kept exactly."""

import pytest
import torch

from nip.errors import CheckpointError, ParameterError
from nip.trainers.tensor.rollout_samples import load_rollouts, sample_rollouts, save_rollouts
from tests.experiments import make_instance, make_params


@pytest.fixture(scope="module")
def instance():
    instance = make_instance(make_params(protocol="nip"))
    instance.agents.eval()
    return instance


def same(first, second):
    assert set(first.keys(True, True)) == set(second.keys(True, True))
    assert first.batch_size == second.batch_size
    return all(torch.equal(first[key], second[key]) for key in first.keys(True, True))


def test_the_same_seed_gives_the_same_sixteen_rollouts_and_another_seed_others(instance):
    rollouts = sample_rollouts(instance, num_rollouts=16, seed=42)
    assert rollouts.batch_size == (16, instance.protocol_handler.num_episode_rounds)
    assert same(sample_rollouts(instance, num_rollouts=16, seed=42), rollouts)
    assert not same(sample_rollouts(instance, num_rollouts=16, seed=43), rollouts)
    train = sample_rollouts(instance, num_rollouts=16, seed=42, split="train")
    assert not same(train, rollouts)


def flattened(state):
    """Return the tensors of the environment's state by name."""
    return {**state["order"], "episode_seeds": state["episode_seeds"]}


def test_playing_them_leaves_no_trace(instance):
    environment = instance.test_environment
    before = {
        "data": flattened(environment.data_state_dict()),
        "generator": {"cpu": torch.get_rng_state()},
        "agents": {name: value.clone() for name, value in instance.agents.state_dict().items()},
    }
    sample_rollouts(instance, num_rollouts=3, seed=1)
    after = {
        "data": flattened(environment.data_state_dict()),
        "generator": {"cpu": torch.get_rng_state()},
        "agents": instance.agents.state_dict(),
    }
    for group, tensors in before.items():
        for name, value in tensors.items():
            assert torch.equal(after[group][name], value), name


def test_each_is_one_whole_episode_and_nothing_after_it(instance):
    rollouts = sample_rollouts(instance, num_rollouts=32, seed=2)
    mask, done = rollouts["mask"], rollouts["next", "done"]
    lengths = mask.sum(dim=1)
    assert len(set(lengths.tolist())) > 1  # else the test shows nothing
    for episode, length in enumerate(lengths.tolist()):
        assert mask[episode, :length].all()
        assert done[episode].nonzero().squeeze(-1).tolist() == [length - 1]
        assert rollouts["round"][episode, :length].tolist() == list(range(length))
    for key in rollouts.keys(True, True):
        assert not rollouts[key][~mask].any(), key


def test_they_come_back_from_a_file_exactly(instance, tmp_path):
    rollouts = sample_rollouts(instance, num_rollouts=16, seed=42)
    save_rollouts(tmp_path / "rollouts.safetensors", rollouts)
    assert same(load_rollouts(tmp_path / "rollouts.safetensors"), rollouts)


def test_a_missing_or_foreign_file_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.safetensors.*save_rollouts"):
        load_rollouts(tmp_path / "nothing.safetensors")
    (tmp_path / "text").write_text("not rollouts at all")
    with pytest.raises(CheckpointError, match="cannot be read as rollouts"):
        load_rollouts(tmp_path / "text")


def test_agents_that_answer_alone_play_none():
    alone = make_instance(make_params(trainer="solo_agent"))
    with pytest.raises(ParameterError, match="trainer=solo_agent"):
        sample_rollouts(alone, num_rollouts=1, seed=0)
    with pytest.raises(ParameterError, match="num_rollouts must be at least 1, got 0"):
        sample_rollouts(alone, num_rollouts=0, seed=0)
