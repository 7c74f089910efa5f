"""Descriptions of rollouts have the messages and decisions of each round."""

import json
import re

import pytest
import torch
from tensordict import TensorDict

from nip.protocols.registry import build_protocol_handler
from nip.scenario_base.rollout_descriptions import describe_rollouts
from nip.trainers.tensor.rollout_samples import sample_rollouts
from tests.experiments import make_instance, make_params


def test_a_description_tells_who_wrote_and_decided_what():
    protocol = build_protocol_handler(make_params(protocol="nip"))
    assert protocol.agent_names == ("prover", "verifier")
    played = TensorDict({}, batch_size=[1, 2])
    # A question whose answer is 1: the verifier asks and goes on, the prover answers 3.
    for key, value in {
        "mask": [[True, True]],
        "round": [[0, 1]],
        "y": [[[1], [1]]],
        "datapoint_id": [[7, 7]],
    }.items():
        played[key] = torch.tensor(value)
    played["message"] = torch.zeros(1, 2, 1, 1, 4)  # one channel, one position, four symbols
    played["agents", "symbol"] = torch.tensor([[[[[0]], [[2]]], [[[3]], [[0]]]]])
    played["agents", "active"] = torch.tensor([[[[False], [True]], [[True], [False]]]])
    played["agents", "decision"] = torch.tensor([[[2, 2], [2, 0]]])
    played["agents", "decides"] = torch.tensor([[[False, True], [False, False]]])
    played["next", "verdict"] = torch.tensor([[2, 2]])
    played["next", "agents", "episode_reward"] = torch.tensor([[[0.0, -0.5], [0.0, -1.0]]])
    # The logarithms of these probabilities, for each agent and step.
    shares = torch.tensor([[0.5, 0.25, 0.125, 0.125], [0.1, 0.2, 0.3, 0.4]]).log()
    played["agents", "main_message_logits"] = shares[None, :, None, None, None].expand(
        1, 2, 2, 1, 1, 4
    )
    decisions = torch.tensor([0.2, 0.3, 0.5]).log().expand(1, 2, 2, 3)
    played["agents", "decision_logits"] = decisions
    (told,) = describe_rollouts(played, protocol)
    (channel,) = protocol.channel_names
    first, second = (
        {"0": 0.5, "1": 0.25, "2": 0.125, "3": 0.125},
        {"3": 0.4, "2": 0.3, "1": 0.2, "0": 0.1},
    )
    assert told == {
        "datapoint_id": 7,
        "label": 1,
        "verdict": "none",
        "rewards": {"prover": 0.0, "verifier": -1.0},
        "rounds": [
            {
                "round": 1,
                "messages": {channel: {"verifier": {"symbol": [2]}}},
                "decisions": {"verifier": "continue"},
                "message_probabilities": {channel: {"verifier": {"symbol": [first]}}},
                "decision_probabilities": {
                    "verifier": {"reject": 0.2, "accept": 0.3, "continue": 0.5}
                },
            },
            {
                "round": 2,
                "messages": {channel: {"prover": {"symbol": [3]}}},
                "decisions": {},
                "message_probabilities": {channel: {"prover": {"symbol": [second]}}},
                "decision_probabilities": {},
            },
        ],
    }


def test_descriptions_of_real_rollouts_are_plain_data_and_name_nodes_of_graphs(data_dir):
    params = make_params(
        "graph_isomorphism",
        protocol="nip",
        include_linear_message_space=True,
        d_linear_message_space=2,
    )
    instance = make_instance(params, data_dir)
    instance.agents.eval()
    rollouts = sample_rollouts(instance, num_rollouts=8, seed=0)
    told = json.loads(json.dumps(describe_rollouts(rollouts, instance.protocol_handler)))
    assert len(told) == 8
    for episode, lengths in zip(told, rollouts["mask"].sum(dim=1).tolist(), strict=True):
        assert len(episode["rounds"]) == lengths
        for turn in episode["rounds"]:
            for speakers in turn["messages"].values():
                for kinds in speakers.values():
                    assert set(kinds) == {"node_selected", "linear_message_selected"}
                    for graph, node in kinds["node_selected"]:
                        assert graph in (0, 1)
                        assert 0 <= node < 4
                    assert all(symbol in (0, 1) for symbol in kinds["linear_message_selected"])
            for speakers in turn["message_probabilities"].values():
                for kinds in speakers.values():
                    (nodes,), (linear,) = kinds["node_selected"], kinds["linear_message_selected"]
                    assert set(linear) == {"0", "1"}
                    assert sum(linear.values()) == pytest.approx(1, abs=2e-4)
                    assert list(nodes.values()) == sorted(nodes.values(), reverse=True)
                    assert all(re.fullmatch("[01] [0-3]", name) for name in nodes)
