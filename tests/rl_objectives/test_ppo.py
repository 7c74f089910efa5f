"""The losses of PPO on tables, worked out by hand."""

from math import log

import pytest
import torch

from nip.parameters import PpoParameters
from nip.rl_objectives.ppo import PpoObjective
from tests.rl_objectives.tables import PROVER, VERIFIER, minibatch, table_agents

HALF = log(0.5)


def objective_of(agents, *, critic="l2", clip_value=False, **params) -> PpoObjective:
    parameters = PpoParameters(**{"entropy_eps": 0.0, "normalize_advantage": False, **params})
    return PpoObjective(agents, parameters, critic_loss_type=critic, clip_value=clip_value)


def two_turns(advantage, **columns):
    """The prover said 0, then 1, both with probability 1/2; now they have 1/4 and 3/4."""
    return minibatch(
        PROVER,
        [0, 1],
        **{
            "sample_log_prob": [HALF, HALF],
            "advantage": advantage,
            "value": [0.0, 0.0],
            "value_target": [0.0, 0.0],
            **columns,
        },
    )


def prover_now(**options):
    return table_agents(prover=(0.25, 0.75), **options)


@pytest.mark.parametrize(
    ("advantage", "expected"),
    [
        # Ratios 0.5 and 1.5 are clipped to 0.8 and 1.2; the smaller product counts.
        ([1.0, 2.0], -(0.5 + 2.4) / 2),
        ([-1.0, 2.0], -(-0.8 + 2.4) / 2),
        ([1.0, -2.0], -(0.5 - 3.0) / 2),
        ([-1.0, -2.0], -(-0.8 - 3.0) / 2),
    ],
)
def test_the_clipped_loss(advantage, expected):
    losses = objective_of(prover_now())(two_turns(advantage))
    assert losses["loss_objective"].item() == pytest.approx(expected)
    assert losses["prover.loss_objective"].item() == pytest.approx(expected)
    assert losses["loss_critic"].item() == losses["loss_entropy"].item() == 0


def test_the_width_of_the_clip_is_a_parameter():
    losses = objective_of(prover_now(), clip_epsilon=0.4)(two_turns([-1.0, 2.0]))
    assert losses["loss_objective"].item() == pytest.approx(-(-0.6 + 2.8) / 2)


def test_what_is_clipped_has_no_gradient():
    agents = prover_now()
    objective = objective_of(agents)
    objective.backward(objective(two_turns([-1.0, 2.0])))
    assert agents.agents["prover"].policy_head.message.grad.tolist() == [0, 0]


def test_the_gradient_of_what_is_not_clipped():
    agents = prover_now()
    objective = objective_of(agents)
    objective.backward(objective(two_turns([1.0, 0.0])))
    # -d/dz (1/2) rho of symbol 0 = -(1/2)(1/2)(1 - 1/4, -3/4).
    expected = torch.tensor([-0.1875, 0.1875])
    torch.testing.assert_close(agents.agents["prover"].policy_head.message.grad, expected)


def test_the_metrics_of_the_ratios():
    losses = objective_of(prover_now(), clip_epsilon=0.45)(two_turns([1.0, 2.0]))
    assert losses["prover.kl"].item() == pytest.approx(-(log(0.5) + log(1.5)) / 2)
    assert losses["prover.clip_fraction"].item() == 1.0
    # (0.5 + 1.5)^2 / (0.25 + 2.25) of 2 frames.
    assert losses["prover.effective_sample_share"].item() == pytest.approx(4 / 2.5 / 2)


def test_advantages_are_normalised_over_the_agents_turns():
    batch = two_turns([1.0, 4.0], value_target=[0.0, 0.0])
    # Mean 2.5 and deviation 1.5 make them -1 and 1.
    losses = objective_of(prover_now(), normalize_advantage=True)(batch)
    assert losses["loss_objective"].item() == pytest.approx(-(-0.8 + 1.2) / 2)


def test_states_out_of_turn_have_no_part_in_the_normalisation():
    batch = minibatch(
        PROVER,
        [0, 1],
        extra_states=1,
        sample_log_prob=[HALF, HALF, 0.0],
        advantage=[1.0, 4.0, 1000.0],
        value=[0.0] * 3,
        value_target=[0.0] * 3,
    )
    losses = objective_of(prover_now(), normalize_advantage=True)(batch)
    assert losses["loss_objective"].item() == pytest.approx(-(-0.8 + 1.2) / 2)


def test_equal_advantages_are_normalised_to_zero():
    losses = objective_of(prover_now(), normalize_advantage=True)(two_turns([3.0, 3.0]))
    assert losses["loss_objective"].item() == 0


def one_turn(symbol: int, advantage: float, extra_states: int = 0):
    """The prover has a single turn, and states out of turn in which its value was asked."""
    rows = 1 + extra_states
    return minibatch(
        PROVER,
        [symbol],
        extra_states=extra_states,
        sample_log_prob=[HALF] * rows,
        advantage=[advantage] + [1000.0] * extra_states,
        value=[0.0] * rows,
        value_target=[0.0] * rows,
    )


@pytest.mark.parametrize("extra_states", [0, 2])
def test_the_advantage_of_a_single_turn_is_not_normalised(extra_states):
    agents = prover_now()
    objective = objective_of(agents, normalize_advantage=True)
    losses = objective(one_turn(0, 3.0, extra_states))
    # The ratio is 0.5: the loss is -0.5 * 3, and d rho / dz = 0.5 * (1 - 1/4, -3/4).
    assert losses["loss_objective"].item() == pytest.approx(-1.5)
    objective.backward(losses)
    expected = torch.tensor([-1.125, 1.125])
    torch.testing.assert_close(agents.agents["prover"].policy_head.message.grad, expected)


def test_the_share_of_minibatches_with_a_single_turn_is_a_metric():
    objective = objective_of(prover_now(), normalize_advantage=True)
    assert objective(one_turn(0, 3.0))["prover.single_turn_share"].item() == 1
    assert objective(two_turns([1.0, 4.0]))["prover.single_turn_share"].item() == 0
    # A value alone is no turn.
    only_values = minibatch(
        PROVER,
        [],
        extra_states=1,
        **{key: [0.0] for key in ("sample_log_prob", "advantage", "value", "value_target")},
    )
    assert objective(only_values)["prover.single_turn_share"].item() == 0
    assert "prover.single_turn_share" in objective.metric_names()


def test_tiny_differences_of_advantages_are_not_blown_up():
    losses = objective_of(prover_now(), normalize_advantage=True)(two_turns([0.0, 2e-8]))
    # Deviation 1e-8 is below the floor of 1e-6: the advantages become -0.01 and 0.01.
    assert losses["loss_objective"].item() == pytest.approx(-(-0.8 + 1.2) * 0.01 / 2, rel=1e-4)


@pytest.mark.parametrize("advantage", [0.1, 10000.1, -3e6])
def test_equal_advantages_become_0_whatever_their_rounding(advantage):
    """The mean of seven such numbers differs from them in float32, as does the deviation from 0."""
    columns = ("sample_log_prob", "value", "value_target")
    frames = minibatch(
        PROVER, [0] * 7, **{name: [0.0] * 7 for name in columns}, advantage=[advantage] * 7
    )
    losses = objective_of(prover_now(), normalize_advantage=True)(frames)
    assert losses["loss_objective"].item() == 0.0


def test_the_kl_penalty_is_added_and_nothing_is_clipped():
    kl = -(log(0.5) + log(1.5)) / 2
    objective = objective_of(prover_now(), loss_type="kl_penalty", kl_beta=3.0)
    losses = objective(two_turns([1.0, 2.0]))
    assert losses["loss_objective"].item() == pytest.approx(-(0.5 + 3.0) / 2 + 3 * kl)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        # The divergence is 0.1438: more than 1.5 times the target, within, and below 1/1.5 of it.
        (0.09, 12.0),
        (0.1, 3.0),
        (0.2, 3.0),
        (0.22, 0.75),
    ],
)
def test_the_weight_of_the_penalty_follows_the_divergence(target, expected):
    objective = objective_of(
        prover_now(),
        loss_type="kl_penalty",
        kl_beta=3.0,
        kl_target=target,
        kl_increment=4.0,
        kl_decrement=0.25,
    )
    objective(two_turns([1.0, 2.0]))
    assert objective.kl_beta.tolist() == [3.0, 3.0]
    objective.finish_iteration()
    assert objective.kl_beta.tolist() == pytest.approx([expected, 3.0])
    # Without any turn since, nothing changes.
    objective.finish_iteration()
    assert objective.kl_beta.tolist() == pytest.approx([expected, 3.0])


@pytest.mark.parametrize(("target", "bound"), [(0.01, 3000.0), (100.0, 0.003)])
def test_the_weight_of_the_penalty_neither_explodes_nor_dies(target, bound):
    objective = objective_of(prover_now(), loss_type="kl_penalty", kl_beta=3.0, kl_target=target)
    for _ in range(20):
        objective(two_turns([1.0, 2.0]))
        objective.finish_iteration()
    assert objective.kl_beta[0].item() == pytest.approx(bound)


def test_every_agent_has_a_weight_of_its_own_which_a_checkpoint_keeps():
    agents = table_agents(prover=(0.25, 0.75))
    objective = objective_of(agents, loss_type="kl_penalty", kl_target=0.01)
    objective(two_turns([1.0, 2.0]))
    batch = minibatch(
        VERIFIER,
        [0, 1],
        sample_log_prob=[HALF, HALF],
        advantage=[0.0, 0.0],
        value=[0.0, 0.0],
        value_target=[0.0, 0.0],
    )
    objective(batch)
    objective.finish_iteration()
    assert objective.kl_beta.tolist() == [2.0, 0.5]
    other = objective_of(agents, loss_type="kl_penalty")
    other.load_state_dict(objective.state_dict())
    assert other.kl_beta.tolist() == [2.0, 0.5]


@pytest.mark.parametrize(
    ("critic", "expected"),
    # Distances from 1 to the targets 3 and 0.5.
    [("l1", (2 + 0.5) / 2), ("l2", (4 + 0.25) / 2), ("smooth_l1", (1.5 + 0.125) / 2)],
)
def test_the_critics_loss(critic, expected):
    agents = prover_now(values=(1.0, 0.0))
    batch = two_turns([0.0, 0.0], value=[1.0, 1.0], value_target=[3.0, 0.5])
    losses = objective_of(agents, critic=critic, critic_coef=0.5)(batch)
    assert losses["loss_critic"].item() == pytest.approx(0.5 * expected)
    assert losses["prover.loss_critic"].item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("clip_value", "expected"),
    [
        # The value rose from 0.5 to 1; with a limit of 0.2 it counts as 0.7, with 0.1 as 0.6.
        (False, 1.0),
        (True, (2 - 0.7) ** 2),
        (0.1, (2 - 0.6) ** 2),
        (0.9, 1.0),
    ],
)
def test_the_change_of_a_value_may_be_limited(clip_value, expected):
    agents = prover_now(values=(1.0, 0.0))
    batch = two_turns([0.0, 0.0], value=[0.5, 0.5], value_target=[2.0, 2.0])
    losses = objective_of(agents, clip_value=clip_value)(batch)
    assert losses["loss_critic"].item() == pytest.approx(expected)


def test_the_larger_of_the_clipped_and_the_plain_loss_counts():
    agents = prover_now(values=(1.0, 0.0))
    batch = two_turns([0.0, 0.0], value=[0.5, 0.5], value_target=[0.6, 0.6])
    losses = objective_of(agents, clip_value=True)(batch)
    assert losses["loss_critic"].item() == pytest.approx(0.4**2)


def test_the_critic_learns_in_states_in_which_only_its_value_was_asked():
    agents = prover_now(values=(1.0, 0.0))
    batch = minibatch(
        PROVER,
        [0],
        extra_states=2,
        sample_log_prob=[HALF],
        advantage=[1.0, 5.0, 5.0],
        value=[1.0] * 3,
        value_target=[2.0, 1.0, 4.0],
    )
    losses = objective_of(agents)(batch)
    assert losses["loss_critic"].item() == pytest.approx((1 + 0 + 9) / 3)
    assert losses["loss_objective"].item() == pytest.approx(-0.5)


def test_the_entropy_counts_as_a_bonus_of_the_turns_alone():
    batch = minibatch(
        VERIFIER,
        [0],
        decisions=[1],
        extra_states=1,
        sample_log_prob=[HALF],
        advantage=[0.0, 0.0],
        value=[0.0, 0.0],
        value_target=[0.0, 0.0],
    )
    agents = table_agents(verifier=(0.25, 0.75), decision=(0.5, 0.3, 0.2))
    losses = objective_of(agents, entropy_eps=0.1)(batch)
    entropy = -sum(p * log(p) for p in (0.25, 0.75, 0.5, 0.3, 0.2))
    assert losses["loss_entropy"].item() == pytest.approx(-0.1 * entropy)


def test_symbol_and_decision_make_one_ratio():
    agents = table_agents(verifier=(0.25, 0.75), decision=(0.5, 0.3, 0.2))
    batch = minibatch(
        VERIFIER,
        [1],
        decisions=[2],
        sample_log_prob=[log(0.16)],
        advantage=[1.0],
        value=[0.0],
        value_target=[0.0],
    )
    losses = objective_of(agents)(batch)
    assert losses["loss_objective"].item() == pytest.approx(-0.75 * 0.2 / 0.16)


def test_the_losses_of_the_agents_are_summed():
    columns = {"value": [0.0], "value_target": [2.0]}
    prover = minibatch(PROVER, [0], sample_log_prob=[HALF], advantage=[1.0], **columns)
    verifier = minibatch(VERIFIER, [1], sample_log_prob=[HALF], advantage=[3.0], **columns)
    objective = objective_of(table_agents())
    losses = objective(torch.cat((prover, verifier)))
    assert losses["loss_objective"].item() == pytest.approx(-1 - 3)
    assert losses["loss_critic"].item() == pytest.approx(4 + 4)


def test_who_has_no_turn_and_who_is_frozen_has_no_loss():
    agents = table_agents(prover=(0.25, 0.75))
    for parameter in agents.agents["prover"].parameters():
        parameter.requires_grad_(False)
    objective = objective_of(agents)
    losses = objective(two_turns([1.0, 2.0]))
    objective.backward(losses)
    assert losses["loss_objective"].item() == 0
    assert set(losses.keys()) == {"loss_objective", "loss_critic", "loss_entropy"}
    assert all(parameter.grad is None for parameter in agents.parameters())
