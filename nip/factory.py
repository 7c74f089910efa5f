"""Building all parts of an experiment from its hyper-parameters."""

from typing import TYPE_CHECKING

from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters, trainer_specs
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

    An experiment with language models does not import PyTorch.
    """
    if trainer_specs[hyper_params.trainer].data == "text":
        from nip.experiment.text_parts import build_text_instance

        return build_text_instance(hyper_params, settings, text_parts)
    from nip.experiment.tensor_parts import build_tensor_instance

    return build_tensor_instance(hyper_params, settings, protocol)
