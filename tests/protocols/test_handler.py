"""Looking things up in a compiled protocol."""

import numpy as np
import pytest

from nip.errors import ProtocolError
from nip.parameters import protocol_specs
from nip.protocols import ProtocolHandler, ProtocolRules, protocol_registry, register_protocol
from tests.fork_server import fork_server
from tests.protocols.play import handler_of, hyper_params_of


class ThreeOpenings(ProtocolHandler):
    """Seeds choose which of three agents opens; the verifier is named neither first nor last."""

    def make_rules(self) -> ProtocolRules:
        agents = ("zoe_prover", "verifier", "clerk", "amy_prover")
        verifier = {"verifier": ("aside", "main")}
        return ProtocolRules(
            agents=agents,
            channels={"main": agents, "aside": ("verifier", "clerk")},
            timetables=tuple(
                ({opening: ("main",)}, verifier)
                for opening in ("zoe_prover", "clerk", "amy_prover")
            ),
            max_message_rounds=4,
        )


@pytest.fixture
def three_openings() -> ProtocolHandler:
    return ThreeOpenings(hyper_params_of("nip"))


def test_rules_have_the_agents_that_the_protocol_was_registered_with() -> None:
    register = register_protocol("misregistered", agents=("prover", "verifier"))
    try:
        misregistered = register(type("Misregistered", (ThreeOpenings,), {}))
        with pytest.raises(ProtocolError, match="'misregistered' is registered with agents="):
            misregistered(hyper_params_of("nip"))
    finally:
        protocol_registry.unregister("misregistered")
        protocol_specs.unregister("misregistered")


def test_what_make_rules_returns_must_be_rules() -> None:
    class Forgetful(ProtocolHandler):
        def make_rules(self) -> ProtocolRules:
            return None  # type: ignore[return-value]

    expected = "Protocol 'Forgetful': make_rules must return ProtocolRules, got None"
    with pytest.raises(ProtocolError, match=expected):
        Forgetful(hyper_params_of("nip"))


def test_names_and_sizes(three_openings: ProtocolHandler) -> None:
    handler = three_openings
    assert handler.prover_names == ("zoe_prover", "amy_prover")
    assert handler.verifier_names == ("verifier",)
    assert (handler.num_agents, handler.num_channels, handler.num_variants) == (4, 2, 3)
    assert handler.active.shape == (3, 4, 4, 2)
    assert handler.can_decide.shape == (3, 4, 4)
    assert handler.decided_reward.shape == (4, 2, 2)


@pytest.mark.parametrize(
    ("seed", "opening"),
    [(0, "zoe_prover"), (1, "clerk"), (2, "amy_prover"), (3, "zoe_prover"), (65535, "zoe_prover")],
)
def test_the_seed_modulo_the_number_of_timetables_chooses(three_openings, seed, opening) -> None:
    assert three_openings.variant(seed) == seed % 3
    assert three_openings.active_agents_by_channel(0, seed) == {"main": (opening,), "aside": ()}
    assert three_openings.active_agents_by_channel(2, seed) == {"main": (opening,), "aside": ()}


def test_one_round_can_be_looked_up_from_every_side(three_openings) -> None:
    handler = three_openings
    assert handler.active_agents_by_channel(1, 0) == {
        "main": ("verifier",),
        "aside": ("verifier",),
    }
    assert handler.active_channels_by_agent(1, 0) == {
        "zoe_prover": (),
        "verifier": ("main", "aside"),
        "clerk": (),
        "amy_prover": (),
    }
    assert handler.is_agent_active("verifier", "aside", round=1, seed=0)
    assert not handler.is_agent_active("verifier", "aside", round=0, seed=0)
    assert not handler.is_agent_active("clerk", "main", round=0, seed=0)
    assert handler.is_agent_active("clerk", "main", round=0, seed=1)
    assert handler.can_agent_decide("verifier", round=1, seed=2)
    assert not handler.can_agent_decide("verifier", round=0, seed=2)
    assert not handler.can_agent_decide("clerk", round=0, seed=1)
    assert handler.visible_channels("verifier") == ("main", "aside")
    assert handler.visible_channels("amy_prover") == ("main",)


def test_leaders_come_first_and_names_are_sorted(three_openings: ProtocolHandler) -> None:
    assert three_openings.stackelberg_sequence == (
        ("verifier",),
        ("amy_prover", "clerk", "zoe_prover"),
    )
    assert handler_of("debate").stackelberg_sequence == (("verifier",), ("prover0", "prover1"))


def orders_of_play() -> list:
    """Return who leads and who follows in three protocols."""
    names = ("nip", "mnip", "multi_channel_test")
    return [handler_of(name).stackelberg_sequence for name in names]


@pytest.mark.whole_run
def test_the_order_of_leaders_and_followers_is_the_same_in_every_process() -> None:
    endings = [
        fork_server(hash_seed, with_torch=False).call(f"{__name__}:orders_of_play")
        for hash_seed in (0, 1, 2)
    ]
    assert [ending.stderr for ending in endings] == [""] * 3
    expected = [
        [["verifier"], ["prover"]],
        [["verifier"], ["prover0", "prover1"]],
        [["verifier"], ["prover0", "prover1", "prover2"]],
    ]
    assert [ending.result for ending in endings] == [expected] * 3


@pytest.mark.parametrize("protocol", protocol_registry.names())
def test_tables_cannot_be_changed_by_accident(protocol: str) -> None:
    handler = handler_of(protocol)
    for table in (handler.active, handler.can_decide, handler.visibility):
        assert table.dtype == np.bool_
        with pytest.raises(ValueError, match="read-only"):
            table[...] = True
    with pytest.raises(ValueError, match="read-only"):
        handler.decided_reward[...] = 0.0
