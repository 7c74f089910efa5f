"""Specs have the shapes, types and ranges of the tensors that they describe."""

import torch
from torchrl.data import Binary, Categorical, Unbounded

from nip.scenario_base.environment_specs import (
    make_action_spec,
    make_done_spec,
    make_observation_spec,
    make_reward_spec,
)

CPU = torch.device("cpu")


def test_observations_are_categorical_binary_or_unbounded() -> None:
    example = {
        "round": torch.zeros(3, dtype=torch.long),
        "node_mask": torch.zeros(3, 2, dtype=torch.bool),
        "x": torch.zeros(3, 4, 5),
    }
    spec = make_observation_spec(example, {"round": 8}, CPU)
    assert spec.shape == (3,)
    classes = {"round": Categorical, "node_mask": Binary, "x": Unbounded}
    assert all(isinstance(spec[name], kind) for name, kind in classes.items())
    assert all(spec[name].shape == value.shape for name, value in example.items())
    assert spec["round"].is_in(torch.tensor([0, 7, 3]))
    assert not spec["round"].is_in(torch.tensor([0, 8, 3]))


def test_actions_and_rewards_lie_under_agents() -> None:
    shapes = {"decision": (3, 2), "symbol": (3, 2, 1, 4)}
    spec = make_action_spec({"decision": 3, "symbol": 7}, shapes, CPU)
    assert spec.shape == spec["agents"].shape == (3,)
    assert {name: tuple(spec["agents", name].shape) for name in shapes} == shapes
    assert int(spec.rand()["agents", "symbol"].max()) < 7
    assert make_reward_spec(3, 2, CPU)["agents", "reward"].shape == (3, 2)


def test_environments_and_agents_have_flags() -> None:
    spec = make_done_spec(3, 2, CPU)
    for name in ("done", "terminated"):
        assert spec[name].shape == (3,)
        assert spec["agents", name].shape == (3, 2)
        assert spec[name].dtype == torch.bool
