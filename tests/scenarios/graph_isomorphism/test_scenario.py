"""The scenario gives each agent learnt, hand-written or random parts."""

from pathlib import Path

import pytest

from nip.experiment_settings import ExperimentSettings
from nip.parameters import GraphIsomorphismAgentParameters, RandomAgentParameters
from nip.scenario_base.agent import RandomAgentBody
from nip.scenarios.graph_isomorphism.body import GraphIsomorphismBody
from nip.scenarios.graph_isomorphism.manual import (
    ManualGraphIsomorphismBody,
    ManualGraphIsomorphismPolicyHead,
    ManualGraphIsomorphismValueHead,
)
from nip.scenarios.graph_isomorphism.scenario import GraphIsomorphismScenario, is_hand_written
from tests.experiments import make_params
from tests.scenarios.graph_isomorphism.observations import make_context


def scenario_of(context) -> GraphIsomorphismScenario:
    return GraphIsomorphismScenario(context.hyper_params, ExperimentSettings())


def test_a_hand_written_agent_has_hand_written_parts_and_no_solo_head() -> None:
    context = make_context(use_manual_architecture=True)
    scenario = scenario_of(context)
    assert is_hand_written(context)
    assert type(scenario.build_body(context)) is ManualGraphIsomorphismBody
    assert type(scenario.build_policy_head(context)) is ManualGraphIsomorphismPolicyHead
    assert type(scenario.build_value_head(context)) is ManualGraphIsomorphismValueHead
    assert scenario.build_solo_head(context) is None


@pytest.mark.parametrize(
    ("params", "body"),
    [
        (GraphIsomorphismAgentParameters(), GraphIsomorphismBody),
        (RandomAgentParameters(), RandomAgentBody),
    ],
)
def test_other_agents_have_learnt_or_random_parts(params, body: type) -> None:
    context = make_context(params=params)
    assert not is_hand_written(context)
    assert type(scenario_of(context).build_body(context)) is body


def test_the_dataset_hides_labels_and_scores_from_the_observations(data_dir: Path) -> None:
    params = make_params("graph_isomorphism")
    scenario = GraphIsomorphismScenario(params, ExperimentSettings(data_dir=str(data_dir)))
    dataset = scenario.load_dataset("train")
    assert set(dataset.observations) == {"adjacency", "node_mask"}
    assert dataset.message_shape == (2, dataset.observations["node_mask"].shape[-1])
    assert set(dataset.y.tolist()) == {0, 1}
