"""Agents get the class of their scenario; `_default` stands for those that are not listed."""

from typing import Any

import pytest

from nip.errors import ParameterError
from nip.parameters import (
    AgentsParameters,
    AlternatingPeriodicUpdateSchedule,
    ConstantUpdateSchedule,
    ContiguousPeriodicUpdateSchedule,
    GraphIsomorphismAgentParameters,
    HyperParameters,
    RandomAgentParameters,
    ToyAgentParameters,
    scenario_specs,
)
from tests.parameters.examples import make_tree

GI = GraphIsomorphismAgentParameters


def agents_of(**agents: Any) -> AgentsParameters:
    return make_tree(agents=agents).agents


def test_without_agents_there_is_only_the_default() -> None:
    agents = make_tree().agents
    assert list(agents) == ["_default"]
    assert agents.listed_names == []


@pytest.mark.parametrize("name", ["prover", "verifier", "somebody", "_default"])
def test_the_default_answers_for_every_name_that_is_not_listed(name: str) -> None:
    agents = agents_of(_default={"d_gnn": 8})
    assert name in agents
    assert agents[name] == GI(d_gnn=8)
    assert agents.get(name) == GI(d_gnn=8)


def test_a_listed_agent_does_not_inherit_from_the_default() -> None:
    agents = agents_of(_default={"d_gnn": 8}, prover={"num_gnn_layers": 2})
    assert agents["prover"] == GI(num_gnn_layers=2)
    assert agents.listed_names == ["prover"]


@pytest.mark.parametrize("given", [GI(d_gnn=8), {"d_gnn": 8}, {"d_gnn": 8, "is_random": False}])
def test_an_agent_is_given_as_instance_or_mapping(given: object) -> None:
    assert agents_of(prover=given)["prover"] == GI(d_gnn=8)


def test_an_agent_that_is_none_has_the_defaults_of_the_class() -> None:
    assert agents_of(prover=None)["prover"] == GI()


@pytest.mark.parametrize(
    "given",
    [
        RandomAgentParameters(),
        {"is_random": True},
        {"_type": "RandomAgentParameters"},
        {"_type": "RandomAgentParameters", "is_random": True},
    ],
)
def test_an_agent_is_made_random(given: object) -> None:
    agent = agents_of(prover=given)["prover"]
    assert agent == RandomAgentParameters()
    assert agent.is_random
    assert not agents_of()["prover"].is_random


def test_other_fields_may_stand_beside_is_random() -> None:
    agent = agents_of(prover={"is_random": True, "d_gnn": 8, "gnn_lr_factor": {"actor": 1.0}})
    assert agent["prover"] == RandomAgentParameters()


def test_a_misspelt_field_beside_is_random_is_refused() -> None:
    with pytest.raises(
        ParameterError, match=r"'agents\.prover\.d_gn'\. Did you mean 'agents\.prover\.d_gnn'\?"
    ):
        agents_of(prover={"is_random": True, "d_gn": 8})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (ToyAgentParameters(), r"^agents\.prover must be GraphIsomorphismAgentParameters or Rand"),
        ({"_type": "ToyAgentParameters"}, r"^agents\.prover\._type must name GraphIso.*'ToyAgent"),
        ("random", r"^agents\.prover must be GraphIsomorphismAgentParameters, a mapping"),
        ({"is_random": "yes"}, r"^agents\.prover\.is_random must be True or False, got 'yes'"),
        ({"is_random": 1}, r"^agents\.prover\.is_random must be True or False, got 1"),
        (
            {"is_random": True, "_type": "GraphIsomorphismAgentParameters"},
            r"is_random is True, but agents\.prover\._type is 'Graph.*Remove",
        ),
        ({"d_gnn": 0}, r"^agents\.prover\.d_gnn must be an integer, at least 1, got 0"),
        ({"agent_lr_factor": {"actr": 1}}, r"'agents\.prover\.agent_lr_factor\.actr'\. Did you"),
    ],
)
def test_a_wrong_agent_is_refused_by_its_dotted_name(given: object, message: str) -> None:
    with pytest.raises(ParameterError, match=message) as caught:
        agents_of(prover=given)
    assert isinstance(caught.value, ValueError)


def test_problems_of_several_agents_are_told_at_once() -> None:
    with pytest.raises(ParameterError) as caught:
        agents_of(prover={"d_gnn": 0}, verifier={"d_gnn": 0, "num_heads": 0})
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    ("names", "is_right"),
    [
        (["prover", "verifier"], True),
        (["prover0", "prover1", "verifier"], True),
        (["prover", "prover0"], False),
        (["verifier", "adversarial_verifier"], True),
        (["verifier", "junior_verifier"], False),
        (["the prover"], False),
        (["a.b"], False),
        (["0prover"], False),
        ([""], False),
    ],
)
def test_names_can_be_told_apart(names: list[str], is_right: bool) -> None:
    if is_right:
        assert agents_of(**dict.fromkeys(names)).listed_names == names
        return
    with pytest.raises(ParameterError, match=r"^agents: .*Rename"):
        agents_of(**dict.fromkeys(names))


def test_agents_are_a_mapping() -> None:
    with pytest.raises(ParameterError, match=r"^agents must be a mapping from agent names"):
        make_tree(agents=["prover"])


def alternating(first_agent: bool, period: int = 5, num_rounds: int = 2) -> Any:
    schedule = AlternatingPeriodicUpdateSchedule(period, num_rounds, first_agent)
    return {"update_schedule": schedule}


@pytest.mark.parametrize(
    ("agents", "expected"),
    [
        ({}, "Standard"),
        ({"prover": {"update_schedule": ConstantUpdateSchedule()}}, "Standard"),
        (
            {"prover": alternating(False), "verifier": alternating(True)},
            "Alternating(5, 2, verifier, prover)",
        ),
        (
            {"prover": alternating(True), "verifier": alternating(False)},
            "Alternating(5, 2, prover, verifier)",
        ),
    ],
)
def test_who_learns_when_is_said_in_one_word(agents: dict[str, Any], expected: str) -> None:
    assert agents_of(**agents).agents_update_repr == expected


@pytest.mark.parametrize(
    "agents",
    [
        {"prover": alternating(True), "verifier": alternating(True)},
        {"prover": alternating(True), "verifier": alternating(False, period=6)},
        {"prover": alternating(True), "verifier": None},
        {"prover": {"update_schedule": ContiguousPeriodicUpdateSchedule(3, 0, 1)}},
    ],
)
def test_any_other_plan_is_custom(agents: dict[str, Any]) -> None:
    assert agents_of(**agents).agents_update_repr.startswith("Custom(")


def test_the_word_is_stored_and_ignored_when_read() -> None:
    stored = make_tree().to_dict()
    assert stored["agents"]["agents_update_repr"] == "Standard"
    stored["agents"]["agents_update_repr"] = "anything"
    stored["agents"]["_type"] = "AgentsParameters"
    assert HyperParameters.from_dict(stored) == make_tree()


@pytest.mark.parametrize("scenario", scenario_specs.names())
def test_every_scenario_has_a_smallest_agent(scenario: str) -> None:
    agent_class = scenario_specs[scenario].agent_parameters
    smallest = agent_class.construct_test_params()
    assert type(smallest) is agent_class
    assert agent_class.from_dict(smallest.to_dict()) == smallest


def test_the_smallest_graph_agent_is_as_narrow_as_its_heads_allow() -> None:
    smallest = GI.construct_test_params()
    assert (smallest.num_heads, smallest.d_transformer) == (2, 2)
    widths = [name for name in vars(smallest) if name.startswith(("d_", "num_"))]
    assert len(widths) == 15
    others = [name for name in widths if name not in ("num_heads", "d_transformer")]
    assert {getattr(smallest, name) for name in others} == {1}
