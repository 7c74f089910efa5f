"""Connections to services and to the mock API, and the engine options for both."""

import asyncio
from types import SimpleNamespace

import pytest

from nip.experiment_settings import ExperimentSettings
from nip.language_models.chat import ModelSpec
from nip.language_models.engine.options import EngineOptions
from nip.language_models.provider_registry import ConnectionContext
from nip.trainers.text.model_connection import (
    ENDPOINT_FILE,
    choose_engine_options,
    close_connection,
    open_connection,
)
from tests.text_experiments import make_text_params

SERVICE = ModelSpec("openai", "m")
REHEARSAL = ModelSpec("rehearsal", "m")


@pytest.mark.parametrize("prover_is_mocked", [False, True])
def test_one_real_service_is_enough_for_long_backoffs(prover_is_mocked: bool) -> None:
    models = [REHEARSAL if prover_is_mocked else SERVICE, SERVICE]
    assert choose_engine_options(ExperimentSettings(), models) == EngineOptions()


def test_backoffs_are_short_if_all_models_are_mocked() -> None:
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


def agents(*models: ModelSpec) -> SimpleNamespace:
    """Return an instance with these models, and answer rules of its scenario."""
    return SimpleNamespace(
        agents={str(index): SimpleNamespace(model=model) for index, model in enumerate(models)},
        scenario=SimpleNamespace(rehearsal_rules=None),
    )


def test_no_mock_api_is_started_for_real_services(tmp_path) -> None:
    settings = ExperimentSettings(api_timeout_s=5)
    context = open_connection(make_text_params(), settings, agents(SERVICE), tmp_path)
    assert context == ConnectionContext(timeout_s=5, run_folder=tmp_path)
    asyncio.run(close_connection(context))
    assert not list(tmp_path.iterdir())


def test_one_mocked_model_is_enough_for_a_mock_api(tmp_path) -> None:
    params = make_text_params(rehearsal={"latency_s": 0.5, "faults": ["slow"]})
    instance = agents(SERVICE, REHEARSAL)
    context = open_connection(params, ExperimentSettings(), instance, tmp_path)
    options = context.rehearsal_app.state.endpoint.options
    assert (options.latency_s, options.faults) == (0.5, ("slow",))
    assert options.state_path == str(tmp_path / ENDPOINT_FILE)
    asyncio.run(close_connection(context))
    assert (tmp_path / ENDPOINT_FILE).is_file()
