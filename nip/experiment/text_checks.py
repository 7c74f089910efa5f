"""Checks of an experiment with language models before the first paid request."""

from pathlib import Path

from nip.errors import ParameterError
from nip.experiment.text_parts import TextParts, build_text_parts
from nip.experiment_settings import ExperimentSettings
from nip.language_models.costs.price_file import read_prices
from nip.language_models.engine.cache import check_response_cache
from nip.language_models.fine_tuning import (
    check_fine_tuning_access,
    find_fine_tuning_backend,
)
from nip.language_models.provider_registry import check_access
from nip.language_models.server.faults import read_fault_plan
from nip.language_models.server.mock_models.registry import check_mock_model
from nip.parameters import HyperParameters, RlParameters, field_rules
from nip.protocols import ProtocolHandler
from nip.scenario_base.text.agent import REHEARSAL_PROVIDER, TextAgent


def check_text_experiment(
    hyper_params: HyperParameters, settings: ExperimentSettings, protocol: ProtocolHandler
) -> TextParts:
    """Check data, prices, prompts, models and the fine-tuning service without a request.

    Return the parts that this builds. Raise ``NipError`` if something is missing or unusable.
    """
    read_prices(settings.prices)
    if settings.response_cache is not None:
        check_response_cache(Path(settings.response_cache))
    parts = build_text_parts(hyper_params, settings, protocol)
    if any(agent.model.provider != REHEARSAL_PROVIDER for agent in parts.agents.values()):
        _check_iterations_are_meant(hyper_params)
    only_tests = hyper_params.base_run.base_run_type == "rerun_tests"
    trains = hyper_params.rl.num_iterations > 1 and not only_tests
    for agent in parts.agents.values():
        _check_model(agent, hyper_params, learns=trains and not agent.params.freeze_agent)
    return parts


def _check_model(agent: TextAgent, hyper_params: HyperParameters, *, learns: bool) -> None:
    """Check that the model of an agent can be called, and fine-tuned if it learns."""
    backend, rehearsal = hyper_params.fine_tuning.backend, hyper_params.rehearsal
    if learns:
        find_fine_tuning_backend(backend)
    if agent.model.provider == REHEARSAL_PROVIDER:
        check_mock_model(rehearsal.brain, rehearsal.brain_file)
        read_fault_plan(rehearsal.faults, rehearsal.fault_rate, hyper_params.seed)
        return
    check_access(agent.model)
    if learns:
        check_fine_tuning_access(backend, agent.model)


def _check_iterations_are_meant(hyper_params: HyperParameters) -> None:
    """Refuse the default number of iterations, which suits networks but costs too much here."""
    default = field_rules(RlParameters)["num_iterations"].default
    if hyper_params.rl.num_iterations == default:
        raise ParameterError(
            f"rl.num_iterations={default} is the default for networks. With language models each "
            "iteration is a paid round of sampling and fine-tuning: set the number explicitly, for "
            "example to 3."
        )
