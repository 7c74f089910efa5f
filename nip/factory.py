"""Building all parts of an experiment from its hyper-parameters."""

from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters, trainer_specs
from nip.scenario_instance import ScenarioInstance


def build_scenario_instance(
    hyper_params: HyperParameters, settings: ExperimentSettings
) -> ScenarioInstance:
    """Build protocol, datasets, agents and environments.

    Only what the kind of experiment needs is imported: language models need no PyTorch.

    Parameters
    ----------
    hyper_params : HyperParameters
        What is to be run.
    settings : ExperimentSettings
        Where it is to be run.

    Returns
    -------
    instance : TensorDictScenarioInstance or PureTextScenarioInstance
        The parts, by the kind of trainer.
    """
    if trainer_specs[hyper_params.trainer].data == "text":
        from nip.experiment.text_parts import build_text_instance

        return build_text_instance(hyper_params, settings)
    from nip.experiment.tensor_parts import build_tensor_instance

    return build_tensor_instance(hyper_params, settings)
