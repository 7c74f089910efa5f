"""The opponent pool: which snapshots are kept, and which ones play."""

import pytest
import torch
from tensordict import TensorDict

from nip.parameters import OpponentPoolParameters
from nip.trainers.tensor.opponents.pool import PRESENT, OpponentPool
from tests.experiments import make_instance, make_params, same_tensors

AGENTS = ("prover", "verifier")


def make_pool(**options):
    instance = make_instance(make_params(protocol="nip"))
    options = {"agents": ("prover",), "snapshot_every": 1, "share": 0.5, **options}
    return OpponentPool(instance.agents, OpponentPoolParameters(**options)), instance.agents


def change(agents, names=AGENTS):
    """Change the weights as learning would."""
    with torch.no_grad():
        for name in names:
            for parameter in agents.agents[name].parameters():
                parameter += 1.0


def fill(pool, agents, count, in_use=None):
    for iteration in range(1, count + 1):
        change(agents)
        pool.take(iteration, in_use or {})


def numbers(pool, name="prover"):
    return [number for number, each in pool.snapshots[name].items() if not each.is_retired]


def test_snapshots_are_taken_at_intervals_and_keep_their_weights():
    pool, agents = make_pool(snapshot_every=2)
    fill(pool, agents, 5)
    assert numbers(pool) == [2, 4]
    old = pool.snapshots["prover"][4].agent.state_dict()
    present = agents.agents["prover"].state_dict()
    assert all(torch.equal(value + 1, present[key]) for key, value in old.items())
    assert not any(p.requires_grad for p in pool.snapshots["prover"][4].agent.parameters())


def test_those_that_are_left_are_spread_over_the_past():
    pool, agents = make_pool(max_size=3, snapshot_every=10)
    seen = []
    for iteration in range(10, 130, 10):
        change(agents)
        pool.take(iteration, {})
        seen.append([number // 10 for number in numbers(pool)])
    # By hand: of 1 2 3 4 the odd 1 goes, of 2 3 4 5 the odd 3, of 2 4 6 7 the 2, and so on.
    assert seen[3:8] == [[2, 3, 4], [2, 4, 5], [2, 4, 6], [4, 6, 7], [4, 6, 8]]
    assert seen[8:] == [[4, 8, 9], [4, 8, 10], [4, 8, 11], [4, 8, 12]]
    one, agents = make_pool(max_size=1)
    fill(one, agents, 3)
    assert numbers(one) == [3]


def test_an_agent_that_has_not_learnt_gets_no_other_snapshot():
    pool, agents = make_pool(agents=AGENTS)
    pool.take(1, {})
    change(agents, ("verifier",))
    pool.take(2, {})
    assert (numbers(pool), numbers(pool, "verifier")) == ([1], [1, 2])


def test_a_retired_snapshot_stays_until_its_episodes_have_ended():
    pool, agents = make_pool(max_size=1)
    fill(pool, agents, 1)
    change(agents)
    pool.take(2, {"prover": {1}})
    assert list(pool.snapshots["prover"]) == [1, 2]
    assert numbers(pool) == [2]
    assert set(pool.draw(100, torch.Generator().manual_seed(0))[:, 0].tolist()) == {PRESENT, 2}
    change(agents)
    pool.take(3, {"prover": {2, PRESENT}})
    assert list(pool.snapshots["prover"]) == [2, 3]


def shares(pool, count=20_000):
    drawn = pool.draw(count, torch.Generator().manual_seed(0))
    assert not ((drawn != PRESENT).sum(-1) > 1).any()
    assert (drawn[:, 1] == PRESENT).all() or "verifier" in pool.names
    return [float((drawn[:, 0] == number).double().mean()) for number in numbers(pool)]


def test_an_empty_pool_draws_nothing_and_no_random_number():
    pool, _ = make_pool()
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    assert (pool.draw(5, generator) == PRESENT).all()
    assert torch.equal(generator.get_state(), before)


def test_snapshots_are_drawn_with_their_probabilities():
    pool, agents = make_pool()
    fill(pool, agents, 3)
    # Five standard deviations of a share of 1/6 are 0.013.
    assert shares(pool) == pytest.approx([1 / 6] * 3, abs=0.013)
    recent, agents = make_pool(sampling="recent", share=0.7)
    fill(recent, agents, 3)
    assert shares(recent) == pytest.approx([0.1, 0.2, 0.4], abs=0.018)
    both, agents = make_pool(agents=AGENTS)
    fill(both, agents, 1)
    assert shares(both) == pytest.approx([0.25], abs=0.016)


def frames_of(opponents, rewards):
    """Return frames in which episodes end, with the prover's snapshot and its reward."""
    size = len(opponents)
    opponent = torch.full((size, 2), PRESENT)
    opponent[:, 0] = torch.tensor(opponents)
    reward = torch.zeros(size, 2)
    reward[:, 0] = torch.tensor(rewards)
    following = {"done": torch.ones(size, dtype=bool), "agents": {"episode_reward": reward}}
    return TensorDict({"opponent": opponent, "next": following}, batch_size=size)


def test_those_that_still_win_are_drawn_more_often():
    pool, agents = make_pool(sampling="prioritised", share=0.9)
    fill(pool, agents, 3)
    assert shares(pool) == pytest.approx([0.3] * 3, abs=0.017)
    pool.record(frames_of([1, 1, 2, PRESENT], [1.0, 0.0, 0.0, 9.0]))
    # Rewards 0.5 and 0; the third has not played and counts as the best: weights 1, 0.1, 1.
    assert shares(pool) == pytest.approx([0.9 / 2.1, 0.09 / 2.1, 0.9 / 2.1], abs=0.018)
    pool.record(frames_of([1], [1.5]))
    assert pool.snapshots["prover"][1].score == pytest.approx(0.5 + 0.5 * (1.5 - 0.5))


def test_a_pool_that_was_stored_draws_the_same():
    pool, agents = make_pool(agents=AGENTS, sampling="prioritised", max_size=2)
    fill(pool, agents, 4, {"prover": {1, 2, 3, 4}})
    pool.record(frames_of([3, 4], [0.2, 0.8]))
    other, _ = make_pool(agents=AGENTS, sampling="prioritised", max_size=2)
    other.load_state_dict(pool.state_dict())
    first, second = (each.draw(50, torch.Generator().manual_seed(3)) for each in (pool, other))
    assert torch.equal(first, second)
    for name in AGENTS:
        assert list(other.snapshots[name]) == list(pool.snapshots[name])
        for number, snapshot in pool.snapshots[name].items():
            again = other.snapshots[name][number]
            assert (again.score, again.is_retired) == (snapshot.score, snapshot.is_retired)
            assert same_tensors(again.agent.state_dict(), snapshot.agent.state_dict())
