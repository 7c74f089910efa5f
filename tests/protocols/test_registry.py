"""Protocols are found by name."""

import subprocess
import sys

import pytest

from nip.errors import PluginError, UnknownNameError
from nip.parameters import protocol_specs
from nip.protocols import (
    ProtocolHandler,
    ProtocolRules,
    build_protocol_handler,
    protocol_registry,
    register_protocol,
)
from tests.protocols.play import hyper_params_of


def a_protocol(agents: tuple[str, ...]) -> type[ProtocolHandler]:
    class Protocol(ProtocolHandler):
        def make_rules(self) -> ProtocolRules:
            return ProtocolRules(
                agents=agents,
                channels={"main": agents},
                timetables=((dict.fromkeys(agents, ("main",)),),),
                max_message_rounds=1,
            )

    return Protocol


def test_the_parameters_know_all_protocols_that_there_are() -> None:
    assert protocol_registry.names() == protocol_specs.names()


@pytest.mark.parametrize("name", protocol_registry.names())
def test_every_protocol_is_built_by_its_name(name: str) -> None:
    assert build_protocol_handler(hyper_params_of(name)).name == name


def test_a_protocol_from_outside_is_chosen_by_its_name() -> None:
    register_protocol("all_at_once")(a_protocol(("prover_a", "prover_b", "verifier")))
    try:
        handler = build_protocol_handler(hyper_params_of("all_at_once"))
    finally:
        protocol_registry.unregister("all_at_once")
        protocol_specs.unregister("all_at_once")
    assert handler.prover_names == ("prover_a", "prover_b")
    assert handler.prover_goals == {"prover_a": 1, "prover_b": 1}


def test_the_name_of_a_built_in_protocol_is_taken() -> None:
    script = """
from nip.errors import PluginError
from nip.protocols import ProtocolHandler, build_protocol_handler, register_protocol
try:
    @register_protocol("nip")
    class Mine(ProtocolHandler):
        pass
except PluginError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "'nip' is already registered" in run.stdout


def test_two_protocols_cannot_have_one_name() -> None:
    register_protocol("twice")(a_protocol(("verifier",)))
    try:
        with pytest.raises(PluginError, match="'twice' is already registered"):
            register_protocol("twice")(type("Other", (ProtocolHandler,), {}))
    finally:
        protocol_registry.unregister("twice")
        protocol_specs.unregister("twice")


def test_an_unknown_name_is_answered_with_the_closest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'debate'"):
        protocol_registry.get("debbate")


@pytest.mark.parametrize("name", ["nip", "debate", "solo_verifier"])
def test_protocols_are_built_without_torch(name: str) -> None:
    script = f"""
import sys
from nip.parameters import HyperParameters
from nip.protocols import build_protocol_handler
build_protocol_handler(HyperParameters(
    scenario="graph_isomorphism",
    trainer="vanilla_ppo",
    dataset="any",
    interaction_protocol={name!r},
))
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)
