"""How models are reached: a rehearsal is quick, and a service is spared."""

import pytest

from nip.experiment_settings import ExperimentSettings
from nip.language_models.chat import ModelSpec
from nip.language_models.engine.options import EngineOptions
from nip.trainers.text.model_connection import choose_engine_options

SERVICE = ModelSpec("openai", "m")
REHEARSAL = ModelSpec("rehearsal", "m")


@pytest.mark.parametrize("prover_rehearses", [False, True])
def test_one_real_service_is_enough_to_be_patient(prover_rehearses: bool) -> None:
    models = [REHEARSAL if prover_rehearses else SERVICE, SERVICE]
    assert choose_engine_options(ExperimentSettings(), models) == EngineOptions()


def test_a_rehearsal_spares_nobody() -> None:
    options = choose_engine_options(ExperimentSettings(), [REHEARSAL, REHEARSAL])
    assert options.first_backoff_s < options.max_backoff_s <= 0.1


def test_limits_are_those_of_the_settings() -> None:
    settings = ExperimentSettings(
        max_concurrency=3,
        api_timeout_s=5,
        num_api_generation_timeouts=7,
        num_api_connection_errors=11,
    )
    for model in (SERVICE, REHEARSAL):
        options = choose_engine_options(settings, [model])
        assert options.max_concurrency == 3
        assert options.timeout_s == 5
        assert options.num_timeouts == 7
        assert options.num_connection_errors == 11
