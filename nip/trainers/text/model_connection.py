"""Connect to the models of an experiment, or to the mock API in a rehearsal."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from starlette.applications import Starlette

from nip.experiment_settings import ExperimentSettings
from nip.language_models.chat import ModelSpec
from nip.language_models.engine.options import EngineOptions
from nip.language_models.provider_registry import ConnectionContext
from nip.language_models.server import EndpointOptions, create_app
from nip.parameters import HyperParameters
from nip.scenario_base.text.agent import REHEARSAL_PROVIDER
from nip.scenario_instance import PureTextScenarioInstance
from nip.seeding import stable_seed

ENDPOINT_FILE = "endpoint.db"
"""State file of the mock API, in the folder of the run."""

MOCK_API_FIRST_BACKOFF_S = 0.01
"""First backoff in seconds if all models are mocked, so that no service is under load."""

MOCK_API_MAX_BACKOFF_S = 0.1
"""Maximum backoff in seconds if all models are mocked."""


def open_connection(
    hyper_params: HyperParameters,
    settings: ExperimentSettings,
    instance: PureTextScenarioInstance,
    folder: Path,
) -> ConnectionContext:
    """Return the connection settings, with a mock API if any agent uses one.

    The mock API stores its state in ``folder``, that of the run.
    """
    timeout_s = settings.api_timeout_s
    if not any(_is_mocked(agent.model) for agent in instance.agents.values()):
        return ConnectionContext(
            timeout_s=timeout_s, run_folder=folder, num_threads=settings.num_threads
        )
    return open_mock_connection(
        hyper_params,
        instance,
        state_path=str(folder / ENDPOINT_FILE),
        faults=hyper_params.rehearsal.faults,
        latency_s=hyper_params.rehearsal.latency_s,
        timeout_s=timeout_s,
    )


def open_mock_connection(
    hyper_params: HyperParameters,
    instance: PureTextScenarioInstance,
    *,
    state_path: str | None = None,
    faults: tuple[str, ...] = (),
    latency_s: float = 0.0,
    timeout_s: float = 60.0,
) -> ConnectionContext:
    """Return connection settings with a mock API; without ``state_path`` it forgets everything."""
    rehearsal = hyper_params.rehearsal
    rules = instance.scenario.rehearsal_rules if rehearsal.brain == "dialogue" else None
    options = EndpointOptions(
        brain=rehearsal.brain,
        brain_file=rehearsal.brain_file or (None if rules is None else str(rules)),
        latency_s=latency_s,
        job_polls=rehearsal.job_polls,
        faults=faults,
        fault_rate=rehearsal.fault_rate,
        seed=stable_seed(hyper_params.seed, "rehearsal") % 2**31,
        state_path=state_path,
    )
    return ConnectionContext(timeout_s=timeout_s, rehearsal_app=create_app(options))


async def close_connection(context: ConnectionContext) -> None:
    """Close the mock API, if there is one."""
    if isinstance(context.rehearsal_app, Starlette):
        await context.rehearsal_app.state.endpoint.aclose()


def choose_engine_options(
    settings: ExperimentSettings, models: Iterable[ModelSpec]
) -> EngineOptions:
    """Return the options of the engine, with shorter backoffs if all models are mocked."""
    limits = EngineOptions(
        max_concurrency=settings.max_concurrency,
        timeout_s=settings.api_timeout_s,
        num_timeouts=settings.num_api_generation_timeouts,
        num_connection_errors=settings.num_api_connection_errors,
        max_wait_s=60 * settings.max_wait_minutes,
    )
    if not all(map(_is_mocked, models)):
        return limits
    return mock_engine_options(limits)


def mock_engine_options(limits: EngineOptions | None = None) -> EngineOptions:
    """Return options with short backoffs, as for models that are all mocked."""
    return replace(
        limits or EngineOptions(),
        first_backoff_s=MOCK_API_FIRST_BACKOFF_S,
        max_backoff_s=MOCK_API_MAX_BACKOFF_S,
    )


def _is_mocked(model: ModelSpec) -> bool:
    return model.provider == REHEARSAL_PROVIDER
