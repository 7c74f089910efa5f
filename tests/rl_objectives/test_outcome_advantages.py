"""Advantages of agents for the actions of others, worked out by hand."""

import pytest
import torch
from tensordict import TensorDict

from nip.rl_objectives.advantages import TurnBasedGAE, turn_based_gae
from nip.rl_objectives.outcome_advantages import OutcomeAdvantages, outcome_advantage
from nip.rl_objectives.spg import normalized_outcomes


def test_it_is_the_return_less_the_last_known_value():
    # One environment, two agents who take turns; the second episode begins in step 3.
    reward = torch.tensor([[[0.0, 0], [0, 0], [1, 2], [3, 0]]])
    value = torch.tensor([[[0.5, 0], [0, 4], [0.25, 0], [0, 8]]])
    known = torch.tensor([[[True, False], [False, True], [True, False], [False, True]]])
    done = torch.tensor([[False, False, True, False]])
    last = torch.tensor([[10.0, 20.0]])
    parts = {
        "reward": reward,
        "value": value,
        "last_value": last,
        "known": known,
        "done": done,
        "gamma": 0.5,
    }
    advantage, _ = turn_based_gae(**parts, lmbda=1.0)
    found = outcome_advantage(**parts, advantage=advantage)[0]
    torch.testing.assert_close(found[known[0]], advantage[0][known[0]])
    # The first agent in step 1: 0.5 * 1, less its value of step 0.
    assert found[1, 0].item() == pytest.approx(0.5 - 0.5)
    # In step 3 a new episode has begun, so there is no earlier value: 3 + 0.5 * 10.
    assert found[3, 0].item() == pytest.approx(8.0)
    # The second agent in step 0: 0.25 * 2, without an earlier value; in step 2: 2 less 4.
    assert found[0, 1].item() == pytest.approx(0.5)
    assert found[2, 1].item() == pytest.approx(-2.0)


def test_the_estimator_marks_frames_and_the_ends_of_episodes():
    numbers = torch.zeros(2, 3, 2)
    agents = {"value": numbers, "bootstrap_value": numbers, "value_known": numbers == 0}
    done = torch.tensor([[False, True, False], [False, False, True]])
    following = {"agents": {"reward": numbers}, "done": done}
    batch = TensorDict({"agents": agents, "next": following}, batch_size=[2, 3])
    found = OutcomeAdvantages(TurnBasedGAE(1.0, 1.0))(batch)["agents"]
    assert found["frame"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert torch.equal(found["ends_episode"], done)
    assert {"advantage", "value_target", "outcome_advantage"} <= set(found.keys())


def test_outcomes_are_centred_by_kind_of_baseline_and_scaled_together():
    advantage = torch.tensor([[1.0, 5], [3, 5], [10, 5], [14, 5]])
    known = torch.tensor([[True, True], [True, True], [False, False], [False, False]])
    found = normalized_outcomes(advantage, known)
    scale = ((1 + 1 + 4 + 4) / 4) ** 0.5
    torch.testing.assert_close(found[:, 0], torch.tensor([-1.0, 1, -2, 2]) / scale)
    # Equal advantages teach nothing.
    assert found[:, 1].tolist() == [0.0] * 4
