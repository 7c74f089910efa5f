"""Names that choose what an experiment is made of are known, and go together."""

from typing import get_args

import pytest

from nip.errors import ParameterError
from nip.parameters import (
    ScenarioSpec,
    ToyAgentParameters,
    TrainerSpec,
    protocol_specs,
    scenario_specs,
    trainer_specs,
)
from nip.parameters.types import InteractionProtocolType, ScenarioType, TrainerType
from tests.parameters.examples import DATASETS, make_tree


@pytest.mark.parametrize(
    ("names", "facts"),
    [
        (TrainerType, trainer_specs),
        (ScenarioType, scenario_specs),
        (InteractionProtocolType, protocol_specs),
    ],
)
def test_the_names_for_editors_are_the_built_in_ones(names: object, facts: object) -> None:
    assert set(get_args(names)) == set(facts)  # type: ignore[call-overload]


@pytest.mark.parametrize("trainer", get_args(TrainerType))
@pytest.mark.parametrize("protocol", get_args(InteractionProtocolType))
@pytest.mark.parametrize("scenario", get_args(ScenarioType))
def test_built_in_choices_go_together(scenario: str, protocol: str, trainer: str) -> None:
    dataset = DATASETS.get(scenario, "er1000")
    choices = {
        "scenario": scenario,
        "trainer": trainer,
        "interaction_protocol": protocol,
        "dataset": dataset,
    }
    if trainer_specs[trainer].learns(scenario_specs[scenario].data):
        assert make_tree(**choices).get("interaction_protocol") == protocol
    else:
        with pytest.raises(ParameterError, match=r"learns from .* is made of"):
            make_tree(**choices)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"trainer": "vanila_ppo"},
            "trainer='vanila_ppo': There is no trainer 'vanila_ppo'. Did you mean 'vanilla_ppo'? "
            "Known: pure_text_ei, pure_text_grpo, pure_text_malt, reinforce, solo_agent, spg, "
            "vanilla_ppo.",
        ),
        (
            {"scenario": "graph_isomorphisms"},
            "scenario='graph_isomorphisms': There is no scenario 'graph_isomorphisms'. Did you "
            "mean 'graph_isomorphism'? Known: code_validation, graph_isomorphism, "
            "image_classification, matrix_games, quotes, toy.",
        ),
        (
            {"interaction_protocol": "debates"},
            "interaction_protocol='debates': There is no interaction protocol 'debates'. Did you "
            "mean 'debate'? Known: adp, debate, merlin_arthur, mnip, multi_channel_test, nip, "
            "solo_verifier.",
        ),
        (
            {"trainer": "pure_text_ei"},
            "trainer='pure_text_ei' learns from text, but scenario='graph_isomorphism' is made of "
            "tensors. Choose one of the trainers reinforce, solo_agent, spg, vanilla_ppo, or one "
            "of the scenarios code_validation, quotes.",
        ),
        (
            {"scenario": "code_validation"},
            "trainer='vanilla_ppo' learns from tensors, but scenario='code_validation' is made of "
            "text. Choose one of the trainers pure_text_ei, pure_text_grpo, pure_text_malt, or one "
            "of the scenarios graph_isomorphism, image_classification, toy.",
        ),
        (
            {"scenario": "matrix_games", "dataset": "tandem"},
            "trainer='vanilla_ppo' learns from tensors, but scenario='matrix_games' is made of "
            "games. Choose one of the trainers spg, or one of the scenarios graph_isomorphism, "
            "image_classification, toy.",
        ),
        (
            {"scenario": "toy", "dataset": "witnes"},
            "dataset='witnes' with scenario='toy': There is no dataset 'witnes'. Did you "
            "mean 'witness'? Known: cheap_talk, faults, inspection, secret_talk, witness.",
        ),
        ({"trainer": None}, "trainer must be a string, such as 'pure_text_ei'"),
        ({"scenario": 3}, "scenario must be a string, such as 'code_validation'"),
        ({"dataset": ["a"]}, "dataset must be a string, got ['a']"),
    ],
)
def test_a_wrong_choice_has_one_clear_message(given: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        make_tree(**given)
    assert str(caught.value).startswith(message)
    assert len(caught.value.problems) == 1


def test_two_unknown_names_are_told_at_once() -> None:
    with pytest.raises(ParameterError) as caught:
        make_tree(scenario="chess", trainer="chess_player")
    assert len(caught.value.problems) == 2


def test_what_a_plugin_enters_is_just_as_good() -> None:
    trainer_specs.register("my_trainer", TrainerSpec("text"))
    scenario_specs.register("my_scenario", ScenarioSpec("text", ToyAgentParameters))
    try:
        tree = make_tree(trainer="my_trainer", scenario="my_scenario", dataset="anything")
        assert tree.agents["prover"] == ToyAgentParameters()
        with pytest.raises(
            ParameterError, match="Choose one of the trainers my_trainer, pure_text"
        ):
            make_tree(scenario="my_scenario")
    finally:
        trainer_specs.unregister("my_trainer")
        scenario_specs.unregister("my_scenario")
