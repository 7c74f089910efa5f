"""Analysers have the name under which they are registered."""

import pytest

from nip.errors import PluginError, UnknownNameError
from nip.rollout_analysis.analyser import ComputedAnalyser
from nip.rollout_analysis.registry import analyser_registry, register_analyser

NAME = "registry_test"


class AlwaysYes(ComputedAnalyser):
    question = "exists"

    def agents(self, protocol):
        return protocol.agent_names

    def compute(self, subject):
        return True


@pytest.fixture(autouse=True)
def _without_traces():
    yield
    analyser_registry.unregister(NAME)


def test_the_decorator_names_the_class_and_returns_it():
    assert register_analyser(NAME)(AlwaysYes) is AlwaysYes
    assert (AlwaysYes.name, AlwaysYes().name) == (NAME, NAME)
    assert analyser_registry[NAME] is AlwaysYes


def test_the_name_of_a_built_in_analyser_cannot_be_taken():
    with pytest.raises(PluginError, match="The analyser 'prover_holds_role' is already registered"):
        register_analyser("prover_holds_role")(AlwaysYes)
    assert analyser_registry["prover_holds_role"] is not AlwaysYes


def test_a_misspelt_analyser_is_refused_with_the_closest_name():
    with pytest.raises(UnknownNameError, match=r"'prover_hold_role'.*'prover_holds_role'"):
        analyser_registry["prover_hold_role"]


@pytest.mark.parametrize("name", analyser_registry.names())
def test_every_analyser_stores_its_answers_under_its_own_name(name):
    analyser = analyser_registry[name]()
    assert analyser.name == name
    assert analyser.question
