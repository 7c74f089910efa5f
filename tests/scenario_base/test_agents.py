"""The context of an agent derives sizes and roles from parameters and protocol."""

from typing import Any

import pytest

from nip.parameters import HyperParameters
from nip.protocols import build_protocol_handler
from nip.scenario_base.agents import AgentContext
from tests.experiments import make_params


def context_of(name: str, params: HyperParameters, shape: tuple[int, ...] = (2, 5)) -> AgentContext:
    protocol = build_protocol_handler(params)
    return AgentContext(params, params.agents[name], name, protocol, shape)


def in_mnip(name: str, **changes: Any) -> AgentContext:
    return context_of(name, make_params(protocol="mnip", **changes))


@pytest.mark.parametrize(
    ("name", "index", "channels", "is_decider"),
    [("prover0", 0, (0,), False), ("prover1", 1, (1,), False), ("verifier", 2, (0, 1), True)],
)
def test_an_agent_has_the_channels_and_role_of_the_protocol(
    name: str, index: int, channels: tuple[int, ...], is_decider: bool
) -> None:
    context = in_mnip(name)
    assert context.agent_index == index
    assert context.visible_channels == channels
    assert context.num_visible_channels == len(channels)
    assert (context.is_decider, context.is_prover) == (is_decider, not is_decider)


def test_sizes_come_from_the_parameters_and_the_message_shape() -> None:
    context = in_mnip("verifier", message_size=3, mnip_protocol={"max_message_rounds": 6})
    assert (context.num_symbols, context.message_size, context.num_rounds) == (10, 3, 6)
    assert context.d_representation == context.hyper_params.d_representation


def test_linear_symbols_exist_only_with_a_linear_message_space() -> None:
    assert in_mnip("prover0").linear_symbols is None
    linear = {"include_linear_message_space": True, "d_linear_message_space": 4}
    assert in_mnip("prover0", **linear).linear_symbols == 4
