"""Returns and advantages, against TorchRL, hand-worked episodes, and a slow reference."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchrl.objectives.value.functional import (
    generalized_advantage_estimate,
    reward2go,
)

from nip.rl_objectives.advantages import RewardToGo, TurnBasedGAE, reward_to_go, turn_based_gae
from nip.scenario_base.collector import RolloutCollector
from tests.experiments import make_instance, make_params


def random_batch(batch, steps, agents, seed, *, share_known=0.5, share_done=0.3):
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, steps, agents)
    return {
        "reward": torch.randn(shape, generator=generator, dtype=torch.float64),
        "value": torch.randn(shape, generator=generator, dtype=torch.float64),
        "last_value": torch.randn((batch, agents), generator=generator, dtype=torch.float64),
        "known": torch.rand(shape, generator=generator) < share_known,
        "done": torch.rand((batch, steps), generator=generator) < share_done,
    }


@pytest.mark.parametrize(("gamma", "lmbda"), [(0.9, 0.95), (1.0, 1.0), (0.5, 0.0), (0.0, 0.3)])
def test_agents_whose_turn_it_always_is_have_the_usual_estimate(gamma, lmbda):
    given_ = random_batch(5, 9, 3, seed=0, share_known=1.1)
    advantage, target = turn_based_gae(**given_, gamma=gamma, lmbda=lmbda)
    next_value = torch.cat((given_["value"][:, 1:], given_["last_value"].unsqueeze(1)), dim=1)
    done = given_["done"].unsqueeze(-1).expand_as(given_["value"])
    expected = generalized_advantage_estimate(
        gamma, lmbda, given_["value"], next_value, given_["reward"], done, done, time_dim=1
    )
    # TorchRL multiplies gamma and lambda in single precision.
    torch.testing.assert_close(advantage, expected[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(target, expected[1], atol=1e-5, rtol=1e-5)


def one_agent(reward, value, known, done, last_value=0.0, gamma=0.5, lmbda=0.5):
    """Return advantages and targets of one agent in one environment."""
    advantage, target = turn_based_gae(
        reward=torch.tensor(reward).view(1, -1, 1),
        value=torch.tensor(value).view(1, -1, 1),
        last_value=torch.tensor([[last_value]]),
        known=torch.tensor(known, dtype=torch.bool).view(1, -1, 1),
        done=torch.tensor(done, dtype=torch.bool).view(1, -1),
        gamma=gamma,
        lmbda=lmbda,
    )
    return advantage.flatten().tolist(), target.flatten().tolist()


def test_rewards_of_the_others_turn_count_for_the_own_turn_before():
    # Turns at 0 and 2; the episode ends at 3, in the other's turn. gamma = lambda = 1/2.
    # A_2 = 2 + 4/2 - 1 = 3.  A_0 = 8 + 16/2 + 1/4 * 1 - 5 + (1/4)(1/2) 3 = 11.625.
    advantage, target = one_agent(
        reward=[8.0, 16.0, 2.0, 4.0],
        value=[5.0, 99.0, 1.0, 99.0],
        known=[1, 0, 1, 0],
        done=[0, 0, 0, 1],
    )
    assert advantage == [11.625, 0, 3, 0]
    assert target == [16.625, 0, 4, 0]


def test_nothing_flows_from_one_episode_into_the_one_before():
    # The first episode ends at 1; the second begins at 2 in the other's turn.
    advantage, target = one_agent(
        reward=[1.0, 2.0, 50.0, 3.0],
        value=[0.5, 7.0, 7.0, 1.0],
        known=[1, 0, 0, 1],
        done=[0, 1, 0, 1],
    )
    # A_0 = 1 + 2/2 - 1/2; the 50 belongs to no turn at all; A_3 = 3 - 1.
    assert advantage == [1.5, 0, 0, 2]
    assert target == [2, 0, 0, 3]


def test_an_episode_which_the_batch_cuts_off_is_bootstrapped():
    # The last turn is at 1; the batch ends after 2, in the middle of the episode, whose state has
    # the value 8. A_1 = 2 + 4/2 + 8/4 - 1 = 5; A_0 = 1 + 1/2 * 1 - 3 + 1/4 * 5.
    advantage, target = one_agent(
        reward=[1.0, 2.0, 4.0],
        value=[3.0, 1.0, 99.0],
        known=[1, 1, 0],
        done=[0, 0, 0],
        last_value=8.0,
    )
    assert advantage == [-0.25, 5, 0]
    assert target == [2.75, 6, 0]


def test_the_bootstrap_value_is_discounted_over_all_the_steps_since_the_turn():
    # 8 after three steps of discount 1/2 is 1.
    advantage, _ = one_agent([0.0] * 3, [0.0, 9.0, 9.0], [1, 0, 0], [0, 0, 0], last_value=8.0)
    assert advantage == [1, 0, 0]


def test_an_agent_without_any_turn_has_no_advantage():
    advantage, target = one_agent([1.0, 2.0], [3.0, 4.0], [0, 0], [0, 1])
    assert advantage == target == [0, 0]


@pytest.mark.parametrize("gamma", [0.1, 0.7, 1.0])
def test_the_reward_to_go_is_that_of_torchrl_where_episodes_end(gamma):
    given_ = random_batch(4, 7, 2, seed=1)
    given_["done"][:, -1] = True
    done = given_["done"].unsqueeze(-1).expand_as(given_["reward"])
    expected = reward2go(given_["reward"], done, gamma, time_dim=1)
    found = reward_to_go(given_["reward"], given_["done"], gamma)
    torch.testing.assert_close(found, expected)


def test_the_reward_to_go_starts_again_after_each_episode():
    reward = torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0]).view(1, 5, 1)
    done = torch.tensor([[False, True, False, False, False]])
    # The last episode is cut off: what is known of it counts.
    assert reward_to_go(reward, done, 0.5).flatten().tolist() == [2, 2, 12, 16, 16]


def slow_gae(reward, value, last_value, known, done, gamma, lmbda):
    """Estimate the advantages of one agent in one environment, turn by turn, as it is written."""
    steps = len(reward)
    advantage = [0.0] * steps
    for step in reversed(range(steps)):
        if not known[step]:
            continue
        total, discount, after = 0.0, 1.0, step
        while True:
            total += discount * reward[after]
            discount *= gamma
            if done[after]:
                break
            after += 1
            if after == steps:
                total += discount * last_value
                break
            if known[after]:
                total += discount * value[after] + discount * lmbda * advantage[after]
                break
        advantage[step] = total - value[step]
    return advantage


@given(
    seed=st.integers(0, 1000),
    steps=st.integers(1, 9),
    gamma=st.sampled_from([0.0, 0.6, 1.0]),
    lmbda=st.sampled_from([0.0, 0.8, 1.0]),
    share_known=st.sampled_from([0.0, 0.3, 0.7, 1.0]),
    share_done=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_all_environments_together_equal_each_by_itself(
    seed, steps, gamma, lmbda, share_known, share_done
):
    given_ = random_batch(3, steps, 2, seed, share_known=share_known, share_done=share_done)
    advantage, target = turn_based_gae(**given_, gamma=gamma, lmbda=lmbda)
    for row in range(3):
        for agent in range(2):
            known = given_["known"][row, :, agent]
            expected = slow_gae(
                given_["reward"][row, :, agent].tolist(),
                given_["value"][row, :, agent].tolist(),
                float(given_["last_value"][row, agent]),
                known.tolist(),
                given_["done"][row].tolist(),
                gamma,
                lmbda,
            )
            found = advantage[row, :, agent]
            assert found.tolist() == pytest.approx(expected, abs=1e-9)
            value = given_["value"][row, :, agent]
            torch.testing.assert_close(target[row, :, agent], (found + value) * known)


def test_a_longer_batch_gives_the_same_to_go_as_its_halves_with_an_exact_critic():
    """With a critic that is right, it does not matter where a batch is cut."""
    gamma, reward = 0.5, torch.tensor([1.0, 2.0, 4.0, 8.0]).view(1, 4, 1)
    done = torch.tensor([[False, False, False, True]])
    value = reward_to_go(reward, done, gamma)
    known = torch.tensor([True, False, True, False]).view(1, 4, 1)
    arguments = {"gamma": gamma, "lmbda": 0.9}
    whole, _ = turn_based_gae(
        reward=reward,
        value=value,
        last_value=torch.zeros(1, 1),
        known=known,
        done=done,
        **arguments,
    )
    half, _ = turn_based_gae(
        reward=reward[:, :1],
        value=value[:, :1],
        last_value=value[:, 1],
        known=known[:, :1],
        done=done[:, :1],
        **arguments,
    )
    assert whole.abs().max() < 1e-6
    assert half.abs().max() < 1e-6


def test_the_estimators_read_and_write_a_collected_batch():
    instance = make_instance(make_params(protocol="nip"))
    collector = RolloutCollector(
        instance.train_environment, instance.agents.eval(), num_steps=3, seed=0
    )
    batch = collector.collect()
    assert TurnBasedGAE(0.9, 0.8)(batch) is batch
    advantage, target = turn_based_gae(
        reward=batch["next", "agents", "reward"],
        value=batch["agents", "value"],
        last_value=batch["agents", "bootstrap_value"][:, -1],
        known=batch["agents", "value_known"],
        done=batch["next", "done"],
        gamma=0.9,
        lmbda=0.8,
    )
    assert torch.equal(batch["agents", "advantage"], advantage)
    assert torch.equal(batch["agents", "value_target"], target)
    assert RewardToGo(0.9)(batch) is batch
    expected = reward_to_go(batch["next", "agents", "reward"], batch["next", "done"], 0.9)
    assert torch.equal(batch["agents", "reward_to_go"], expected)


def test_the_return_of_a_cut_episode_goes_on_with_what_is_given():
    reward = torch.tensor([1.0, 2.0, 4.0]).view(1, 3, 1)
    done = torch.tensor([[True, False, False]])
    found = reward_to_go(reward, done, 0.5, torch.tensor([[8.0]]))
    # 4 + 8/2, and 2 + (4 + 8/2)/2; the first step is of another episode.
    assert found.flatten().tolist() == [1, 6, 8]
