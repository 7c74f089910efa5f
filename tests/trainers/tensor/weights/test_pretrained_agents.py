"""Saved single agents: what is scaled before they read it, and which files hold them."""

import json
from types import SimpleNamespace

import pytest
import torch
from safetensors import safe_open
from torch import nn

from nip.scenario_base.normalization import ObservationNormalizer
from nip.trainers.tensor.weights.pretrained_agents import PretrainedAgent, save_pretrained


class Reading(nn.Module):
    """Returns what it is given; its weights are a transposed view, shared by two names."""

    def __init__(self):
        super().__init__()
        self.context = SimpleNamespace(
            message_shape=(2, 4), observation_shapes={"adjacency": (2, 4, 4)}
        )
        self.weight = nn.Parameter(torch.arange(6.0).reshape(2, 3).t())
        self.same_weight = self.weight

    def forward(self, observation):
        return observation


@pytest.fixture
def normalizer():
    normalizer = ObservationNormalizer()
    normalizer.x_mean.fill_(1.0)
    normalizer.x_std.fill_(2.0)
    normalizer.message_mean.fill_(-1.0)
    return normalizer


def save(folder, normalizer, seed=1):
    params = SimpleNamespace(to_dict=lambda stamp: {"seed": seed, "stamp": stamp})
    save_pretrained(folder, [(0, "prover", Reading())], normalizer, params)
    return folder / "prover"


def test_messages_are_scaled_and_all_else_is_read_as_it_is(normalizer):
    five = torch.full((2,), 5.0)
    given = {"x": five, "message": five, "round": five}
    read = PretrainedAgent(Reading(), normalizer)(given)
    assert {name: value.tolist() for name, value in read.items()} == {
        "x": [2.0, 2.0],
        "message": [6.0, 6.0],
        "round": [5.0, 5.0],
    }
    assert given["x"].tolist() == [5.0, 5.0]


def test_the_file_holds_the_weights_and_the_scaling_however_they_lie_in_memory(
    normalizer, tmp_path
):
    folder = save(tmp_path, normalizer)
    with safe_open(folder / "model.safetensors", "pt") as file:
        found = {name: file.get_tensor(name) for name in file.keys()}
        assert file.metadata() == {"format": "pt"}
    weight = [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]
    assert found["agent.weight"].tolist() == found["agent.same_weight"].tolist() == weight
    assert (found["normalizer.x_mean"].item(), found["normalizer.x_std"].item()) == (1.0, 2.0)


def test_the_configuration_can_be_read_and_tells_what_wrote_it(normalizer, tmp_path):
    config = json.loads((save(tmp_path, normalizer) / "config.json").read_text())
    assert config == {
        "library_name": "nip",
        "agent_name": "prover",
        "message_shape": [2, 4],
        "observation_shapes": {"adjacency": [2, 4, 4]},
        "hyper_params": {"seed": 1, "stamp": True},
    }


def test_an_older_agent_of_the_name_is_replaced_and_other_files_stay(normalizer, tmp_path):
    folder = save(tmp_path, normalizer)
    (folder / "README.md").write_text("mine")
    normalizer.x_mean.fill_(7.0)
    save(tmp_path, normalizer, seed=2)
    with safe_open(folder / "model.safetensors", "pt") as file:
        assert file.get_tensor("normalizer.x_mean").item() == 7.0
    assert json.loads((folder / "config.json").read_text())["hyper_params"]["seed"] == 2
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
