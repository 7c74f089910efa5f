"""Building all parts of an experiment whose agents are language models."""

from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.protocols.registry import build_protocol_handler
from nip.scenario_base.registry import scenario_registry
from nip.scenario_base.text.shared_model_group import build_shared_model_groups
from nip.scenario_instance import PureTextScenarioInstance


def build_text_instance(
    hyper_params: HyperParameters, settings: ExperimentSettings
) -> PureTextScenarioInstance:
    """Build protocol, datasets, agents and the groups that share a model.

    Parameters
    ----------
    hyper_params : HyperParameters
        What is to be run.
    settings : ExperimentSettings
        Where it is to be run.
    """
    protocol = build_protocol_handler(hyper_params)
    scenario = scenario_registry[hyper_params.scenario](hyper_params, settings)
    agents = scenario.build_agents(protocol)
    return PureTextScenarioInstance(
        protocol_handler=protocol,
        scenario=scenario,
        train_dataset=scenario.load_dataset("train"),
        test_dataset=scenario.load_dataset("test"),
        agents=agents,
        rules=scenario.dialogue_rules(protocol),
        shared_model_groups=build_shared_model_groups(agents),
    )
