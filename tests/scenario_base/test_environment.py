"""The environment: specs, steps, resets and data order."""

import numpy as np
import pytest
import torch
from torchrl.envs.utils import check_env_specs

from nip.protocols.registry import protocol_registry
from nip.scenario_base.environment import TensorDictEnvironment
from nip.scenario_base.normalization import fit_normalizer
from tests.experiments import TENSOR_SCENARIOS, make_instance, make_params

MAIN, PRIVATE, CHAT = range(3)
"""Channels of multi_channel_test."""

SILENT = [0.0, 0.0, 0.0, 0.0]


def toy_environment(protocol="adp", num_environments=2, **changes) -> TensorDictEnvironment:
    rl = {"rollouts_per_iteration": num_environments, "normalize_observations": False}
    params = make_params(protocol=protocol, rl={**rl, "minibatch_size": 1}, **changes)
    return make_instance(params).train_environment


@pytest.mark.parametrize("linear", [False, True], ids=["", "linear"])
@pytest.mark.parametrize("protocol", protocol_registry.names())
@pytest.mark.parametrize("scenario", TENSOR_SCENARIOS)
def test_torchrl_accepts_the_specs(scenario, protocol, linear, data_dir):
    params = make_params(
        scenario,
        protocol=protocol,
        message_size=2,
        include_linear_message_space=linear,
        d_linear_message_space=3,
    )
    instance = make_instance(params, data_dir)
    for environment in (instance.train_environment, instance.test_environment):
        check_env_specs(environment, seed=1)


def test_torchrl_accepts_the_specs_of_zero_knowledge():
    params = make_params(protocol="debate", protocol_common={"zero_knowledge": True})
    check_env_specs(make_instance(params).train_environment, seed=1)


def symbols_to_send(environment: TensorDictEnvironment) -> torch.Tensor:
    """Let agent ``a`` of environment ``b`` choose symbol ``(a + c + b) mod 4`` on channel ``c``."""
    agents = torch.arange(4).view(1, 4, 1, 1)
    channels = torch.arange(3).view(1, 1, 3, 1)
    batch = torch.arange(environment.num_environments).view(-1, 1, 1, 1)
    return (agents + channels + batch) % 4


def test_messages_are_summed_over_the_agents_whose_turn_it_is():
    environment = toy_environment("multi_channel_test")
    state = environment.initial_state()
    state["round"] = torch.tensor([1, 2])
    actions = {
        "decision": torch.full((2, 4), 2),
        "position_selected": symbols_to_send(environment),
    }
    after = environment.advance(state, actions).state
    # Round 1: the provers 0, 1 and 2 say 2, 3 and 0 in their chat; nobody else is heard.
    # Round 2: prover0 says 2 to the verifier alone; prover1 and prover2 say 2 and 3 on main.
    expected = torch.tensor(
        [
            [SILENT, SILENT, [1.0, 0.0, 1.0, 1.0]],
            [[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 0.0], SILENT],
        ]
    ).unsqueeze(2)
    torch.testing.assert_close(after["message"], expected)
    history = torch.zeros(2, 8, 3, 1, 4)
    history[0, 1], history[1, 2] = expected
    torch.testing.assert_close(after["message_history"], history)
    torch.testing.assert_close(after["x"], history)
    assert after["round"].tolist() == [2, 3]


def test_two_agents_who_say_the_same_on_one_channel_count_twice():
    environment = toy_environment("multi_channel_test", num_environments=1)
    state = environment.initial_state()
    state["round"] = torch.tensor([1])
    symbols = torch.full((1, 4, 3, 1), 3)
    after = environment.advance(
        state, {"decision": torch.full((1, 4), 2), "position_selected": symbols}
    ).state
    assert after["message"][0, CHAT, 0].tolist() == [0, 0, 0, 3]


def test_the_history_keeps_what_earlier_rounds_wrote():
    environment = toy_environment("nip", num_environments=1, message_size=2)
    state = environment.initial_state()
    for symbols in ([0, 1], [2, 3], [1, 1]):
        chosen = torch.tensor(symbols).expand(1, 2, 1, 2)
        state = environment.advance(
            state, {"decision": torch.full((1, 2), 2), "position_selected": chosen}
        ).state
    written = state["message_history"][0, :, 0].nonzero().tolist()
    # Round, position in the message, symbol.
    assert written == [[0, 0, 0], [0, 1, 1], [1, 0, 2], [1, 1, 3], [2, 0, 1], [2, 1, 1]]
    assert state["message"][0, 0].nonzero().tolist() == [[0, 1], [1, 1]]


def test_the_linear_message_has_a_history_of_its_own():
    environment = toy_environment(
        "nip", num_environments=1, include_linear_message_space=True, d_linear_message_space=3
    )
    state = environment.initial_state()
    actions = {
        "decision": torch.full((1, 2), 2),
        "position_selected": torch.zeros(1, 2, 1, 1, dtype=torch.long),
        "linear_message_selected": torch.tensor([1, 2]).view(1, 2, 1, 1),
    }
    # The verifier, who is the second agent, speaks first.
    after = environment.advance(state, actions).state
    assert after["linear_message"].tolist() == [[[[0, 0, 1]]]]
    assert after["linear_message_history"].nonzero().tolist() == [[0, 0, 0, 0, 2]]


def test_a_step_leaves_the_old_state_and_what_does_not_change_alone():
    environment = toy_environment("nip")
    state = environment.initial_state()
    before = {name: value.clone() for name, value in state.items()}
    after = environment.advance(
        state, environment.random_actions(torch.Generator().manual_seed(0))
    ).state
    assert all(torch.equal(state[name], before[name]) for name in before)
    for name in ("secret", "y", "seed", "datapoint_id", "decision_restriction"):
        assert torch.equal(after[name], before[name])


def test_a_decision_ends_the_episode_and_pays():
    environment = toy_environment("adp", num_environments=3)
    state = environment.state_of(torch.tensor([0, 4, 4]), torch.zeros(3, dtype=torch.long))
    assert state["y"].tolist() == [[0], [1], [1]]
    symbols = torch.zeros(3, 2, 1, 1, dtype=torch.long)
    early = torch.tensor([[1, 1], [1, 1], [1, 1]])
    first = environment.advance(state, {"decision": early, "position_selected": symbols})
    # It is the prover's round, so nobody can decide yet.
    assert not first.done.any()
    assert not first.reward.any()
    decision = torch.tensor([[0, 1], [0, 1], [0, 2]])
    last = environment.advance(first.state, {"decision": decision, "position_selected": symbols})
    assert last.done.tolist() == [True, True, True]
    assert last.terminated.tolist() == [False, False, True]
    assert last.agent_done.tolist() == [[True, True], [True, True], [False, False]]
    # Accepting pays the prover; the verifier is paid for being right.
    assert last.reward.tolist() == [[1, -1], [1, 1], [0, -1]]


def test_only_finished_environments_start_anew():
    environment = toy_environment("nip", num_environments=4)
    state = environment.initial_state()
    after = environment.advance(
        state, environment.random_actions(torch.Generator().manual_seed(0))
    ).state
    done = torch.tensor([True, False, True, False])
    fresh = environment.reset_finished(after, done)
    for name, value in fresh.items():
        assert torch.equal(value[~done], after[name][~done])
    assert fresh["round"].tolist() == [0, 1, 0, 1]
    assert not fresh["message_history"][done].any()
    assert not fresh["x"][done].any()
    assert not fresh["message"][done].any()
    # Four datapoints of eight were in use: the next two are others.
    assert len(set(fresh["datapoint_id"][done].tolist() + state["datapoint_id"].tolist())) == 6


def test_a_partial_reset_through_torchrl_keeps_the_other_environments():
    environment = toy_environment("nip", num_environments=3)
    start = environment.reset()
    stepped = environment.step(environment.rand_action(start))["next"]
    asked = stepped.clone().set("_reset", torch.tensor([False, True, False]))
    reset = environment.reset(asked)
    assert reset["round"].tolist() == [1, 0, 1]
    kept = torch.tensor([0, 2])
    for name in ("message_history", "seed", "datapoint_id", "secret"):
        assert torch.equal(reset[name][kept], stepped[name][kept])
    # The environment itself goes on from there as well.
    again = environment.step(environment.rand_action(reset))["next"]
    assert again["round"].tolist() == [2, 1, 2]


def test_no_datapoint_is_skipped_whoever_finishes_when():
    environment = toy_environment("adp", num_environments=3)
    generator = torch.Generator().manual_seed(0)
    state = environment.initial_state()
    seen = state["datapoint_id"].tolist()
    while len(seen) < 80:
        done = torch.rand(3, generator=generator) < 0.4
        state = environment.reset_finished(state, done)
        seen += state["datapoint_id"][done].tolist()
    for start in range(0, 80, 8):
        assert sorted(seen[start : start + 8]) == list(range(8))


def test_the_position_in_the_data_can_be_stored_and_restored():
    environment, other = toy_environment(), toy_environment()
    for _ in range(3):
        environment.initial_state()
    stored = environment.data_state_dict()
    expected = [environment.initial_state() for _ in range(6)]
    other.load_data_state_dict(stored)
    for state in expected:
        restored = other.initial_state()
        assert torch.equal(restored["datapoint_id"], state["datapoint_id"])
        assert torch.equal(restored["seed"], state["seed"])


def test_episode_seeds_are_drawn_anew_for_each_episode():
    environment = toy_environment(num_environments=64)
    seeds = torch.cat([environment.initial_state()["seed"] for _ in range(4)])
    assert int(seeds.min()) >= 0
    assert 2**15 < int(seeds.max()) < 2**16
    assert len(set(seeds.tolist())) > 200


@pytest.mark.parametrize("linear", [False, True], ids=["", "linear"])
@pytest.mark.parametrize("protocol", protocol_registry.names())
@pytest.mark.parametrize("num_episodes", [1, 2, 7])
def test_any_number_of_episodes_gives_the_same_as_one_at_a_time(protocol, linear, num_episodes):
    changes = {"include_linear_message_space": linear, "d_linear_message_space": 3}
    environment = toy_environment(protocol, num_environments=2, **changes)
    generator = torch.Generator().manual_seed(0)
    indices = torch.arange(num_episodes) % 8
    seeds = torch.arange(num_episodes)
    actions = environment.random_actions(generator, num_episodes)
    together = environment.advance(environment.state_of(indices, seeds), actions)
    for row in range(num_episodes):
        one = slice(row, row + 1)
        alone = environment.advance(
            environment.state_of(indices[one], seeds[one]),
            {name: value[one] for name, value in actions.items()},
        )
        for name, value in alone.state.items():
            assert torch.equal(together.state[name][one], value), name
        for name in ("reward", "done", "terminated", "agent_done", "verdict"):
            assert torch.equal(getattr(together, name)[one], getattr(alone, name)), name


def test_seeds_are_0_unless_they_are_given():
    environment = toy_environment("merlin_arthur")
    assert environment.state_of(torch.arange(5))["seed"].tolist() == [0] * 5
    state = environment.initial_state(5)
    assert len(state["seed"]) == len(set(state["datapoint_id"].tolist())) == 5


def test_episodes_of_other_numbers_leave_the_environments_alone():
    environment, other = toy_environment("nip"), toy_environment("nip")
    generator = torch.Generator().manual_seed(0)
    state = environment.state_of(torch.arange(6))
    environment.advance(state, environment.random_actions(generator, 6))
    expected = other.initial_state()
    assert all(torch.equal(value, expected[n]) for n, value in environment.initial_state().items())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"decision": torch.zeros(2, dtype=torch.long)}, r"decision.* \(3, 2\).*got \(2,\)"),
        ({"position_selected": None}, r"position_selected.* \(3, 2, 1, 1\).*no such key"),
    ],
)
def test_actions_of_another_shape_are_refused(changed, message):
    environment = toy_environment("adp")
    actions = environment.random_actions(torch.Generator().manual_seed(0), 3)
    actions = {name: changed.get(name, value) for name, value in actions.items()}
    actions = {name: value for name, value in actions.items() if value is not None}
    with pytest.raises(ValueError, match=message):
        environment.advance(environment.state_of(torch.arange(3)), actions)


def test_datapoints_and_seeds_of_different_numbers_are_refused():
    environment = toy_environment("adp")
    with pytest.raises(ValueError, match=r"same length.*\(3,\) and \(2,\)"):
        environment.state_of(torch.arange(3), torch.arange(2))


@pytest.mark.parametrize(
    "rows",
    [[6, 0, 7], torch.tensor([6, 0, 7], dtype=torch.int32), np.array([6, 0, 7]), [-2, -8, -1]],
    ids=["list", "int32", "numpy", "negative"],
)
def test_rows_are_given_in_the_ways_in_which_a_dataset_is_indexed(rows):
    environment = toy_environment("adp")
    state = environment.state_of(rows, seeds=[4, 5, 6])
    assert state["datapoint_id"].tolist() == [6, 0, 7]
    assert state["datapoint_id"].dtype == torch.long
    assert state["seed"].tolist() == [4, 5, 6]
    assert state["y"].flatten().tolist() == [1, 0, 1]


def test_a_mask_selects_the_rows_in_which_it_is_true():
    environment = toy_environment("adp")
    state = environment.state_of(environment.dataset.y == 1)
    assert state["datapoint_id"].tolist() == [4, 5, 6, 7]
    with pytest.raises(IndexError, match=r"numbered from 0 to 7.*got"):
        environment.state_of([0, 8])


def test_entries_of_agents_whose_turn_it_is_not_may_be_anything():
    environment = toy_environment("adp")
    state = environment.state_of(torch.arange(8))
    actions = environment.random_actions(torch.Generator().manual_seed(0))
    actions = {name: value[:1].repeat_interleave(8, 0) for name, value in actions.items()}
    expected = environment.advance(state, actions)
    verifier = environment.protocol.agent_names.index("verifier")
    for value in actions.values():
        value[:, verifier] = -1
    got = environment.advance(state, actions)
    assert torch.equal(got.state["message_history"], expected.state["message_history"])
    assert torch.equal(got.reward, expected.reward)


@pytest.mark.parametrize("decision", [-1, 3])
def test_decisions_that_do_not_exist_are_refused(decision):
    environment = toy_environment("adp")
    generator = torch.Generator().manual_seed(0)
    state = environment.state_of(torch.arange(3))
    state = environment.advance(state, environment.random_actions(generator, 3)).state
    actions = environment.random_actions(generator, 3)
    actions["decision"][1] = decision
    with pytest.raises(ValueError, match=rf"0 \(reject\).*got {decision}"):
        environment.advance(state, actions)


@pytest.mark.parametrize("protocol", protocol_registry.names())
@pytest.mark.parametrize("scenario", TENSOR_SCENARIOS)
def test_what_is_stored_of_a_state_restores_it_bit_by_bit(scenario, protocol, data_dir):
    changes = {"include_linear_message_space": True, "message_size": 2}
    environment = make_instance(
        make_params(scenario, protocol=protocol, **changes), data_dir
    ).train_environment
    fit_normalizer(environment, num_frames=20, seed=0)
    generator = torch.Generator().manual_seed(0)
    state = environment.initial_state()
    for _ in range(8):
        kept = environment.stored(state)
        assert not kept.keys() & {"x", "message", *environment.dataset.observations}
        restored = {**kept, **environment.restored(kept)}
        assert restored.keys() == state.keys()
        for name, value in state.items():
            assert torch.equal(restored[name], value), name
            assert restored[name].dtype == value.dtype, name
        transition = environment.advance(state, environment.random_actions(generator))
        state = environment.reset_finished(transition.state, transition.done)
