"""Building all parts of an experiment from its hyper-parameters."""

from typing import TYPE_CHECKING

from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters, scenario_specs
from nip.scenario_instance import ScenarioInstance

if TYPE_CHECKING:
    from nip.experiment.text_parts import TextParts
    from nip.protocols import ProtocolHandler


def build_scenario_instance(
    hyper_params: HyperParameters,
    settings: ExperimentSettings,
    protocol: "ProtocolHandler | None" = None,
    text_parts: "TextParts | None" = None,
) -> ScenarioInstance:
    """Build protocol, datasets, agents and environments, except parts that are given.

    Only an experiment with networks imports PyTorch.
    """
    data = scenario_specs[hyper_params.scenario].data
    if data == "text":
        from nip.experiment.text_parts import build_text_instance

        return build_text_instance(hyper_params, settings, text_parts)
    if data == "tensordict":
        from nip.experiment.tensor_parts import build_tensor_instance

        return build_tensor_instance(hyper_params, settings, protocol)
    from nip.experiment.custom_parts import build_custom_instance

    return build_custom_instance(hyper_params, settings, protocol)
