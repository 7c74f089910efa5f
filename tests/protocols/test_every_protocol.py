"""What holds for every protocol, whatever its parameters."""

from typing import Any, get_args

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from nip.errors import ProtocolError
from nip.parameters import HyperParameters
from nip.parameters.types import InteractionProtocolType
from nip.protocols import ProtocolHandler, build_protocol_handler, protocol_registry
from tests.protocols.play import hyper_params_of, writers
from tests.protocols.statements import STATEMENTS, play_round

REGISTERED = protocol_registry.names()
SEEDS = st.integers(0, 2**16 - 1)
MONEY = st.sampled_from([-16.0, -4.0, -1.0, 0.0, 0.5, 1.0, 2.0, 8.0])
GROUPS = {"nip": "nip_protocol", "debate": "debate_protocol", "mnip": "mnip_protocol"}


@st.composite
def common_parameters(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "verifier_first": draw(st.booleans()),
        "prover_reward": draw(MONEY),
        "prover_terminated_penalty": draw(MONEY),
        "verifier_reward": draw(MONEY),
        "verifier_incorrect_penalty": draw(MONEY),
        "verifier_terminated_penalty": draw(MONEY),
        "verifier_no_guess_reward": draw(MONEY),
        "shared_reward": draw(st.booleans()),
        "force_guess": draw(st.sampled_from([None, "zero", "one", "y"])),
    }


@st.composite
def experiments(draw: st.DrawFn, protocol: str) -> HyperParameters:
    groups: dict[str, Any] = {"protocol_common": draw(common_parameters())}
    if protocol in GROUPS:
        max_rounds = draw(st.integers(1, 10))
        group = {
            "max_message_rounds": max_rounds,
            "min_message_rounds": draw(st.integers(1, max_rounds)),
        }
        if protocol != "nip":
            group["sequential"] = draw(st.booleans())
            group["prover0_first"] = draw(st.booleans())
        groups[GROUPS[protocol]] = group
    return hyper_params_of(protocol, **groups)


def handler_or_none(hyper_params: HyperParameters) -> ProtocolHandler | None:
    """Build the protocol unless its parameters leave the verifier without a decision."""
    try:
        return build_protocol_handler(hyper_params)
    except ProtocolError:
        return None


def says_the_statement_that_a_decision_is_possible(hyper_params: HyperParameters) -> bool:
    statement = STATEMENTS[hyper_params.interaction_protocol]
    _, num_rounds, min_rounds = statement.rounds(hyper_params)
    return any(
        agent == "verifier"
        for round_ in range(min_rounds - 1, num_rounds)
        for agent, _ in statement.writers(hyper_params, round_, 0)
    )


def test_every_built_in_protocol_is_stated_in_words() -> None:
    assert set(STATEMENTS) == set(get_args(InteractionProtocolType))
    assert set(STATEMENTS) <= set(REGISTERED)


@pytest.mark.parametrize("protocol", REGISTERED)
@given(data=st.data())
def test_an_agent_writes_only_where_it_sees_and_only_in_an_episode(protocol, data) -> None:
    handler = handler_or_none(data.draw(experiments(protocol)))
    if handler is None:
        return
    assert not (handler.active & ~handler.visibility).any()
    assert not handler.active[:, handler.num_episode_rounds :].any()
    assert handler.active[:, : handler.num_episode_rounds].any(axis=(2, 3)).all()


@pytest.mark.parametrize("protocol", REGISTERED)
@given(data=st.data())
def test_only_the_verifier_decides_and_only_where_it_writes(protocol, data) -> None:
    handler = handler_or_none(data.draw(experiments(protocol)))
    if handler is None:
        return
    for index, agent in enumerate(handler.agent_names):
        writes = handler.active[:, :, index].any(axis=-1)
        expected = writes if agent == "verifier" else writes & False
        assert (handler.can_decide[:, :, index] == expected).all()
    decisive = handler.can_decide[:, handler.min_message_rounds - 1 :]
    assert decisive.any(axis=(1, 2)).all()


@pytest.mark.parametrize("protocol", sorted(STATEMENTS))
@given(data=st.data())
def test_parameters_are_refused_just_when_nothing_could_be_decided(protocol, data) -> None:
    hyper_params = data.draw(experiments(protocol))
    is_possible = says_the_statement_that_a_decision_is_possible(hyper_params)
    assert (handler_or_none(hyper_params) is not None) == is_possible


@pytest.mark.parametrize("protocol", sorted(STATEMENTS))
@given(data=st.data())
def test_tables_equal_the_statement_in_words(protocol, data) -> None:
    hyper_params = data.draw(experiments(protocol))
    handler = handler_or_none(hyper_params)
    if handler is None:
        return
    statement = STATEMENTS[protocol]
    assert list(handler.agent_names) == statement.agents
    seen = {agent: list(handler.visible_channels(agent)) for agent in handler.agent_names}
    assert seen == statement.sees
    room, num_rounds, min_rounds = statement.rounds(hyper_params)
    assert handler.max_message_rounds == room
    assert handler.num_episode_rounds == num_rounds
    assert handler.min_message_rounds == min_rounds
    assert handler.prover_goals == statement.paid_for
    seed = data.draw(SEEDS)
    for round_ in range(room):
        assert writers(handler, round_, seed) == statement.writers(hyper_params, round_, seed)


@pytest.mark.parametrize("protocol", sorted(STATEMENTS))
@given(data=st.data())
def test_masks_equal_the_statement_in_words(protocol, data) -> None:
    hyper_params = data.draw(experiments(protocol))
    handler = handler_or_none(hyper_params)
    if handler is None:
        return
    room = handler.max_message_rounds
    places = data.draw(st.lists(st.tuples(st.integers(0, room - 1), SEEDS), min_size=1))
    round_, seed = torch.tensor(places).unbind(-1)
    tensor_protocol = handler.make_tensor_protocol()
    active = tensor_protocol.active_mask(round_, seed)
    may_decide = tensor_protocol.decision_mask(round_, seed)
    for index, (one_round, one_seed) in enumerate(places):
        expected = STATEMENTS[protocol].writers(hyper_params, one_round, one_seed)
        found = {
            (handler.agent_names[agent], handler.channel_names[channel])
            for agent, channel in active[index].nonzero().tolist()
        }
        assert found == expected
        deciders = {handler.agent_names[agent] for (agent,) in may_decide[index].nonzero().tolist()}
        assert deciders == {agent for agent, _ in expected} & {"verifier"}


@pytest.mark.parametrize("protocol", sorted(STATEMENTS))
@given(data=st.data())
def test_step_equals_playing_each_episode_by_the_rules(protocol, data) -> None:
    hyper_params = data.draw(experiments(protocol))
    handler = handler_or_none(hyper_params)
    if handler is None:
        return
    episode = st.tuples(
        st.integers(0, 1),
        st.integers(0, handler.num_episode_rounds - 1),
        SEEDS,
        st.lists(st.integers(0, 2), min_size=handler.num_agents, max_size=handler.num_agents),
        st.booleans(),
    )
    episodes = data.draw(st.lists(episode, min_size=1, max_size=20))
    y, round_, seed, decision, was_done = zip(*episodes, strict=True)
    step = handler.make_tensor_protocol().step(
        y=torch.tensor(y),
        round=torch.tensor(round_),
        seed=torch.tensor(seed),
        decision=torch.tensor(decision),
        done=torch.tensor(was_done),
    )
    verifier = handler.agent_names.index("verifier")
    for index in range(len(episodes)):
        expected = play_round(
            hyper_params,
            y=y[index],
            round_=round_[index],
            seed=seed[index],
            decision=decision[index][verifier],
            was_done=was_done[index],
        )
        assert step.done[index].item() == expected.done
        assert step.terminated[index].item() == expected.terminated
        assert step.agent_done[index].tolist() == [expected.done] * handler.num_agents
        assert step.reward[index].tolist() == expected.rewards


@pytest.mark.parametrize("protocol", REGISTERED)
@given(data=st.data())
def test_every_episode_ends_whatever_is_decided(protocol, data) -> None:
    handler = handler_or_none(data.draw(experiments(protocol)))
    if handler is None:
        return
    tensor_protocol = handler.make_tensor_protocol()
    seed = torch.tensor([data.draw(SEEDS)])
    for round_ in range(handler.num_episode_rounds):
        decision = data.draw(
            st.lists(st.integers(0, 2), min_size=handler.num_agents, max_size=handler.num_agents)
        )
        step = tensor_protocol.step(
            y=torch.tensor([data.draw(st.integers(0, 1))]),
            round=torch.tensor([round_]),
            seed=seed,
            decision=torch.tensor([decision]),
            done=torch.tensor([False]),
        )
        assert not (step.done & step.terminated).item()
        if (step.done | step.terminated).item():
            return
    pytest.fail("The episode went on beyond its last round.")
