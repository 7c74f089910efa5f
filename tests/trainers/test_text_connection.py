"""How models are reached: a rehearsal is quick, and a service is spared."""

import pytest

from nip.experiment_settings import ExperimentSettings
from nip.language_models.engine_options import EngineOptions
from nip.scenario_instance import PureTextScenarioInstance
from nip.text_factory import build_text_instance
from nip.trainers.text_connection import choose_engine_options
from tests.text_experiments import make_text_params


def instance(**rehearses: bool) -> PureTextScenarioInstance:
    """Build an experiment in which some agents rehearse."""
    agents = {name: {"use_dummy_api": it} for name, it in rehearses.items()}
    params = make_text_params(interaction_protocol="nip", agents=agents)
    return build_text_instance(params, ExperimentSettings())


@pytest.mark.parametrize("prover_rehearses", [False, True])
def test_one_real_service_is_enough_to_be_patient(prover_rehearses: bool) -> None:
    built = instance(prover=prover_rehearses, verifier=False)
    assert choose_engine_options(ExperimentSettings(), built) == EngineOptions()


def test_a_rehearsal_spares_nobody() -> None:
    options = choose_engine_options(ExperimentSettings(), instance(prover=True, verifier=True))
    assert options.first_backoff_s < options.max_backoff_s <= 0.1


def test_limits_are_those_of_the_settings() -> None:
    settings = ExperimentSettings(
        max_concurrency=3,
        api_timeout_s=5,
        num_api_generation_timeouts=7,
        num_api_connection_errors=11,
    )
    for rehearses in (False, True):
        built = instance(prover=rehearses, verifier=rehearses)
        options = choose_engine_options(settings, built)
        assert options.max_concurrency == 3
        assert options.timeout_s == 5
        assert options.num_timeouts == 7
        assert options.num_connection_errors == 11
