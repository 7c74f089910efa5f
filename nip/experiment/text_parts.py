"""Building all parts of an experiment whose agents are language models."""

from dataclasses import dataclass

from nip.experiment.returned_parts import returned
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.protocols.handler import ProtocolHandler
from nip.protocols.registry import build_protocol_handler
from nip.scenario_base.dataset_sizes import check_num_datapoints
from nip.scenario_base.registry import scenario_registry
from nip.scenario_base.text.agent import TextAgent
from nip.scenario_base.text.datapoint import TextDataset
from nip.scenario_base.text.dialogue_rules import DialogueRules
from nip.scenario_base.text.scenario import TextScenario
from nip.scenario_base.text.shared_model_group import (
    PureTextSharedModelGroup,
    build_shared_model_groups,
)
from nip.scenario_instance import PureTextScenarioInstance


@dataclass(frozen=True)
class TextParts:
    """Everything of an experiment with language models that is built without reading data."""

    protocol: ProtocolHandler
    """The compiled protocol."""

    scenario: TextScenario
    """The task."""

    rules: DialogueRules
    """Prompts, visibility and parsing of the dialogues."""

    agents: dict[str, TextAgent]
    """The agents by name, in the order of the protocol."""

    shared_model_groups: dict[str, PureTextSharedModelGroup]
    """Groups of agents that share a model, by name."""


def build_text_parts(
    hyper_params: HyperParameters, settings: ExperimentSettings, protocol: ProtocolHandler
) -> TextParts:
    """Build the scenario, its dialogue rules and its agents, and look for its dataset.

    Raises
    ------
    NipError
        If the dataset does not exist, the protocol has no prompts in this scenario, or agents of
        one group disagree about their model.
    """
    scenario = scenario_registry[hyper_params.scenario](hyper_params, settings)
    rules = scenario.dialogue_rules(protocol)
    scenario.check_dataset()
    agents = scenario.build_agents(protocol)
    return TextParts(protocol, scenario, rules, agents, build_shared_model_groups(agents))


def build_text_instance(
    hyper_params: HyperParameters, settings: ExperimentSettings, parts: TextParts | None = None
) -> PureTextScenarioInstance:
    """Build datasets, agents, the groups that share a model, and parts that are not given."""
    if parts is None:
        parts = build_text_parts(hyper_params, settings, build_protocol_handler(hyper_params))
    scenario = parts.scenario
    datasets = {
        split: returned(scenario, "load_dataset", scenario.load_dataset(split), TextDataset)
        for split in ("train", "test")
    }
    reruns_tests = hyper_params.base_run.base_run_type == "rerun_tests"
    if not reruns_tests:
        check_num_datapoints(hyper_params, "train", len(datasets["train"]))
    if reruns_tests or hyper_params.text_rl.test_scheme != "none":
        check_num_datapoints(hyper_params, "test", len(datasets["test"]))
    return PureTextScenarioInstance(
        protocol_handler=parts.protocol,
        scenario=parts.scenario,
        rules=parts.rules,
        train_dataset=datasets["train"],
        test_dataset=datasets["test"],
        agents=parts.agents,
        shared_model_groups=parts.shared_model_groups,
    )
