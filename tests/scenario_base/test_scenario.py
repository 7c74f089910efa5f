"""A scenario builds the named parts of its agents, or those of random agents."""

import pytest
import torch

from nip.experiment_settings import ExperimentSettings
from nip.parameters import RandomAgentParameters
from nip.protocols import build_protocol_handler
from nip.scenario_base.agent import RandomAgentBody, RandomPolicyHead, ZeroValueHead
from nip.scenario_base.agents import AgentContext
from nip.scenarios.toy import ToyBody, ToyPolicyHead, ToyScenario, ToySoloHead, ToyValueHead
from tests.experiments import make_params


def parts_of(params) -> list[object]:
    scenario = ToyScenario(params, ExperimentSettings())
    protocol = build_protocol_handler(params)
    context = AgentContext(params, params.agents["verifier"], "verifier", protocol, (4,))
    return [
        scenario.build_body(context),
        scenario.build_policy_head(context),
        scenario.build_value_head(context),
        scenario.build_solo_head(context),
    ]


def test_a_learning_agent_has_the_parts_that_the_scenario_names() -> None:
    expected = [ToyBody, ToyPolicyHead, ToyValueHead, ToySoloHead]
    assert list(map(type, parts_of(make_params()))) == expected


def test_a_random_agent_has_no_parameters_and_no_solo_head() -> None:
    params = make_params(agents={"_default": RandomAgentParameters()})
    *parts, solo = parts_of(params)
    assert list(map(type, parts)) == [RandomAgentBody, RandomPolicyHead, ZeroValueHead]
    assert solo is None
    assert not [parameter for part in parts for parameter in part.parameters()]


def test_a_scenario_without_a_solo_task_has_no_solo_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ToyScenario, "solo_head", None)
    assert parts_of(make_params())[-1] is None


def test_by_default_random_agents_may_choose_every_symbol() -> None:
    assert ToyScenario(make_params(), ExperimentSettings()).legality() is None
    logits = parts_of(make_params(agents={"_default": RandomAgentParameters()}))[1]
    message = torch.zeros(3, 1, 1, 4)
    assert not logits({}, {"message": message})["message"].any()
