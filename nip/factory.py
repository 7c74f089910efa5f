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
    """Build protocol, datasets, agents and environments.

    An experiment with language models does not import PyTorch.

    Parameters
    ----------
    hyper_params : HyperParameters
        The experiment.
    settings : ExperimentSettings
        How and where to run.
    protocol : ProtocolHandler, optional
        The compiled protocol; by default it is compiled here.
    text_parts : TextParts, optional
        Parts of an experiment with language models that the checks have built already.

    Returns
    -------
    instance : TensorDictScenarioInstance or PureTextScenarioInstance
        All parts; the class depends on what the trainer learns from.
    """
    if trainer_specs[hyper_params.trainer].data == "text":
        from nip.experiment.text_parts import build_text_instance

        return build_text_instance(hyper_params, settings, text_parts)
    from nip.experiment.tensor_parts import build_tensor_instance

    return build_tensor_instance(hyper_params, settings, protocol)
