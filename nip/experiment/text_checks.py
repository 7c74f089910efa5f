"""What can be checked of an experiment with language models before anything is asked or paid."""

from pathlib import Path

from nip.errors import ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.language_models.costs.price_file import read_prices
from nip.language_models.engine.cache import check_response_cache
from nip.language_models.fine_tuning import (
    check_fine_tuning_access,
    fine_tuning_backend_registry,
)
from nip.language_models.provider_registry import check_access
from nip.language_models.server.faults import read_fault_plan
from nip.language_models.server.mock_models.registry import check_mock_model
from nip.parameters import HyperParameters, RlParameters, field_rules
from nip.protocols import ProtocolHandler
from nip.scenario_base.registry import scenario_registry
from nip.scenario_base.text.agent import REHEARSAL_PROVIDER
from nip.scenario_base.text.shared_model_group import build_shared_model_groups


def check_text_experiment(
    hyper_params: HyperParameters, settings: ExperimentSettings, protocol: ProtocolHandler
) -> None:
    """Check that data, prices, prompts, models and the fine-tuning service are there, unasked.

    Parameters
    ----------
    hyper_params : HyperParameters
        What is to be run.
    settings : ExperimentSettings
        Where it is to be run.
    protocol : ProtocolHandler
        Its protocol.

    Raises
    ------
    NipError
        If anything is certainly missing; the message names the way out.
    """
    read_prices(settings.prices)
    if settings.response_cache is not None:
        check_response_cache(Path(settings.response_cache))
    scenario = scenario_registry[hyper_params.scenario](hyper_params, settings)
    scenario.dialogue_rules(protocol)
    scenario.check_dataset()
    agents = scenario.build_agents(protocol)
    if any(agent.model.provider != REHEARSAL_PROVIDER for agent in agents.values()):
        _check_iterations_are_meant(hyper_params)
    only_tests = hyper_params.base_run.base_run_type == "rerun_tests"
    trains = hyper_params.rl.num_iterations > 1 and not only_tests
    build_shared_model_groups(agents)
    for agent in agents.values():
        learns = trains and not agent.params.freeze_agent
        if learns:
            fine_tuning_backend_registry.get(hyper_params.fine_tuning.backend)
        if agent.model.provider == REHEARSAL_PROVIDER:
            rehearsal = hyper_params.rehearsal
            check_mock_model(rehearsal.brain, rehearsal.brain_file)
            read_fault_plan(rehearsal.faults, rehearsal.fault_rate, hyper_params.seed)
            continue
        check_access(agent.model)
        if learns:
            check_fine_tuning_access(hyper_params.fine_tuning.backend, agent.model)


def _check_iterations_are_meant(hyper_params: HyperParameters) -> None:
    """Refuse the default, which suits networks: nobody pays for a thousand fine-tunings."""
    default = field_rules(RlParameters)["num_iterations"].default
    if hyper_params.rl.num_iterations == default:
        raise ParameterError(
            f"rl.num_iterations={default} is the default for networks. With language models each "
            "iteration is a round of sampling and fine-tuning that somebody pays for: set it, for "
            "example to 3."
        )
