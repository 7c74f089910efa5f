"""Vanilla PPO builds the loss and the estimator that its parameters describe."""

from types import SimpleNamespace

import pytest

from nip.rl_objectives.advantages import TurnBasedGAE
from nip.trainers.builtin.vanilla_ppo import VanillaPpoTrainer
from tests.experiments import make_params
from tests.rl_objectives.tables import VERIFIER, minibatch, table_agents


def loss_and_estimator(*, ppo=None, **rl):
    """Return what the trainer builds for a verifier that always sees the value 1."""
    trainer = SimpleNamespace(
        agents=table_agents(values=(0.0, 1.0)),
        hyper_params=make_params(rl=rl, ppo={"normalize_advantage": False, **(ppo or {})}),
    )
    return VanillaPpoTrainer._get_loss_module_and_gae(trainer)


def losses_of(**parameters):
    """Return the losses after the value went from 0 to 1, on the way to 3."""
    batch = minibatch(
        VERIFIER,
        [0],
        sample_log_prob=[-1.0],
        advantage=[2.0],
        value=[0.0],
        value_target=[3.0],
    )
    return loss_and_estimator(**parameters)[0](batch)


def test_the_estimator_has_discount_and_decay_of_the_parameters():
    loss, estimator = loss_and_estimator(gamma=0.5, lmbda=0.25)
    assert estimator == TurnBasedGAE(gamma=0.5, lmbda=0.25)
    assert loss.value_estimator is estimator


@pytest.mark.parametrize(
    ("rl", "ppo", "expected"),
    [
        ({"loss_critic_type": "l2"}, {}, 4.0),
        ({"loss_critic_type": "l1"}, {}, 2.0),
        ({"loss_critic_type": "smooth_l1"}, {}, 1.5),
        ({"loss_critic_type": "l2"}, {"critic_coef": 0.5}, 2.0),
        ({"loss_critic_type": "l1", "clip_value": False}, {"clip_epsilon": 0.25}, 2.0),
        ({"loss_critic_type": "l1", "clip_value": True}, {"clip_epsilon": 0.25}, 2.75),
        ({"loss_critic_type": "l1", "clip_value": 0.5}, {"clip_epsilon": 0.25}, 2.5),
    ],
)
def test_the_critic_learns_by_the_distance_and_the_limit_of_the_parameters(rl, ppo, expected):
    assert losses_of(ppo=ppo, **rl)["loss_critic"].item() == pytest.approx(expected)


def test_the_loss_is_the_clipped_one_or_that_with_a_penalty():
    # The symbol has probability 1/2, so that the log-ratio to exp(-1) is 1 - log 2 = 0.306853, and
    # the ratio e / 2 = 1.359141, which is above 1.25.
    clipped = losses_of(ppo={"clip_epsilon": 0.25})["loss_objective"].item()
    assert clipped == pytest.approx(-2 * 1.25)
    penalty = {"loss_type": "kl_penalty", "kl_beta": 3.0}
    penalised = losses_of(ppo=penalty)["loss_objective"].item()
    assert penalised == pytest.approx(-2 * 1.359141 + 3 * -0.306853, abs=1e-4)
