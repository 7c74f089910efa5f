"""Building all parts of an experiment whose data are neither tensors nor texts."""

from nip.errors import ParameterError
from nip.experiment.returned_parts import returned
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.protocols.handler import ProtocolHandler
from nip.protocols.registry import build_protocol_handler
from nip.scenario_base.registry import scenario_registry
from nip.scenario_instance import ScenarioInstance


def build_custom_instance(
    hyper_params: HyperParameters,
    settings: ExperimentSettings,
    protocol: ProtocolHandler | None = None,
) -> ScenarioInstance:
    """Let the scenario build everything, with the protocol, which is built unless it is given.

    Raises
    ------
    ParameterError
        If the scenario does not build an instance.
    """
    scenario = scenario_registry[hyper_params.scenario](hyper_params, settings)
    build = getattr(scenario, "build_instance", None)
    if build is None:
        raise ParameterError(
            f"scenario={hyper_params.scenario!r} has data={scenario.data!r} but no build_instance. "
            "Derive its class from nip.scenario_base.custom_scenario.CustomScenario."
        )
    instance = build(build_protocol_handler(hyper_params) if protocol is None else protocol)
    return returned(scenario, "build_instance", instance, ScenarioInstance)
