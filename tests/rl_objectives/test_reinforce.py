"""The losses of REINFORCE on tables, worked out by hand."""

from math import log

import pytest
import torch

from nip.rl_objectives.reinforce import ReinforceObjective
from tests.rl_objectives.tables import PROVER, VERIFIER, minibatch, table_agents


def objective_of(agents, *, use_critic=False, critic="l2") -> ReinforceObjective:
    return ReinforceObjective(agents, use_critic=use_critic, critic_loss_type=critic)


def test_the_score_is_weighed_with_the_reward_to_go():
    agents = table_agents(prover=(0.25, 0.75))
    objective = objective_of(agents)
    losses = objective(minibatch(PROVER, [0, 1], reward_to_go=[2.0, -4.0]))
    assert set(losses.keys()) == {"loss_objective", "prover.loss_objective"}
    assert losses["loss_objective"].item() == pytest.approx(-(2 * log(0.25) - 4 * log(0.75)) / 2)
    objective.backward(losses)
    # -(1/2) [2 (1 - 1/4) - 4 (-1/4)] for symbol 0, and the opposite for symbol 1.
    expected = torch.tensor([-1.25, 1.25])
    torch.testing.assert_close(agents.agents["prover"].policy_head.message.grad, expected)
    assert agents.agents["prover"].value_head.value.grad is None


def test_rows_out_of_turn_do_not_count():
    agents = table_agents(prover=(0.25, 0.75))
    batch = minibatch(PROVER, [0], extra_states=3, reward_to_go=[2.0, 9.0, 9.0, 9.0])
    assert objective_of(agents)(batch)["loss_objective"].item() == pytest.approx(-2 * log(0.25))


def test_with_a_critic_the_advantage_weighs_and_the_critic_learns():
    agents = table_agents(verifier=(0.25, 0.75), decision=(0.5, 0.3, 0.2), values=(0.0, 1.0))
    objective = objective_of(agents, use_critic=True)
    batch = minibatch(
        VERIFIER, [1], decisions=[0], extra_states=1, advantage=[3.0, 7.0], value_target=[2.0, 4.0]
    )
    losses = objective(batch)
    assert losses["loss_objective"].item() == pytest.approx(-3 * log(0.75 * 0.5))
    assert losses["loss_critic"].item() == pytest.approx((1 + 9) / 2)
    objective.backward(losses)
    # d/dv of the mean of (v - 2)^2 and (v - 4)^2 at v = 1.
    assert float(agents.agents["verifier"].value_head.value.grad) == pytest.approx(-2 - 6 + 4)
