"""REINFORCE builds the loss and the estimator that its parameters describe."""

from math import log
from types import SimpleNamespace

import pytest

from nip.rl_objectives.advantages import RewardToGo, TurnBasedGAE
from nip.trainers.builtin.reinforce import ReinforceTrainer
from tests.experiments import make_params
from tests.rl_objectives.tables import VERIFIER, minibatch, table_agents


def trainer_of(*, use_critic, **rl):
    """Return what the trainer is made of, for a verifier that always sees the value 1."""
    hyper_params = make_params(
        trainer="reinforce", rl=rl, reinforce={"use_advantage_and_critic": use_critic}
    )
    return SimpleNamespace(agents=table_agents(values=(0.0, 1.0)), hyper_params=hyper_params)


def loss_and_estimator(**parameters):
    return ReinforceTrainer._get_loss_module_and_gae(trainer_of(**parameters))


@pytest.mark.parametrize("use_critic", [False, True])
def test_values_are_collected_only_for_a_critic(use_critic):
    assert ReinforceTrainer.needs_values.fget(trainer_of(use_critic=use_critic)) is use_critic


def test_without_a_critic_actions_are_weighed_with_the_discounted_reward_to_go():
    loss, estimator = loss_and_estimator(use_critic=False, gamma=0.5)
    assert estimator == RewardToGo(gamma=0.5)
    losses = loss(minibatch(VERIFIER, [0], reward_to_go=[4.0], advantage=[7.0]))
    assert losses["loss_objective"].item() == pytest.approx(4 * log(2))
    assert "loss_critic" not in losses.keys()


def test_with_a_critic_the_advantage_has_discount_and_decay_of_the_parameters():
    loss, estimator = loss_and_estimator(use_critic=True, gamma=0.5, lmbda=0.25)
    assert estimator == TurnBasedGAE(gamma=0.5, lmbda=0.25)
    losses = loss(minibatch(VERIFIER, [0], advantage=[7.0], value_target=[3.0]))
    assert losses["loss_objective"].item() == pytest.approx(7 * log(2))


@pytest.mark.parametrize(("distance", "expected"), [("l1", 2.0), ("l2", 4.0), ("smooth_l1", 1.5)])
def test_the_critic_learns_by_the_distance_of_the_parameters(distance, expected):
    loss, _ = loss_and_estimator(use_critic=True, loss_critic_type=distance)
    losses = loss(minibatch(VERIFIER, [0], advantage=[7.0], value_target=[3.0]))
    assert losses["loss_critic"].item() == pytest.approx(expected)
