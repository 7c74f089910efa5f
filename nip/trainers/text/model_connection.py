"""Reaching the models of an experiment, or the endpoint that stands in for them in a rehearsal."""

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
"""What the endpoint of a rehearsal remembers, in the folder of the run."""

REHEARSAL_FIRST_BACKOFF_S = 0.01
"""Seconds before the first retry in a rehearsal, where nobody needs to be spared."""

REHEARSAL_MAX_BACKOFF_S = 0.1
"""Most seconds before a retry in a rehearsal."""


def open_connection(
    hyper_params: HyperParameters,
    settings: ExperimentSettings,
    instance: PureTextScenarioInstance,
    folder: Path,
) -> ConnectionContext:
    """Return what reaching the models takes.

    Parameters
    ----------
    hyper_params : HyperParameters
        Its ``rehearsal`` group says how the endpoint behaves.
    settings : ExperimentSettings
        How long to wait for an answer.
    instance : PureTextScenarioInstance
        The agents, some of which may rehearse.
    folder : Path
        Folder of the run, where the endpoint of a rehearsal keeps files, jobs and models.
    """
    timeout_s = settings.api_timeout_s
    if not any(_rehearses(agent.model) for agent in instance.agents.values()):
        return ConnectionContext(timeout_s=timeout_s)
    rehearsal = hyper_params.rehearsal
    rules = instance.scenario.rehearsal_rules if rehearsal.brain == "dialogue" else None
    brain_file = rehearsal.brain_file or (None if rules is None else str(rules))
    options = EndpointOptions(
        brain=rehearsal.brain,
        brain_file=brain_file,
        latency_s=rehearsal.latency_s,
        job_polls=rehearsal.job_polls,
        faults=rehearsal.faults,
        fault_rate=rehearsal.fault_rate,
        seed=stable_seed(hyper_params.seed, "rehearsal") % 2**31,
        state_path=str(folder / ENDPOINT_FILE),
    )
    return ConnectionContext(timeout_s=timeout_s, rehearsal_app=create_app(options))


async def close_connection(context: ConnectionContext) -> None:
    """Close what the endpoint of a rehearsal has open."""
    if isinstance(context.rehearsal_app, Starlette):
        await context.rehearsal_app.state.endpoint.aclose()


def choose_engine_options(
    settings: ExperimentSettings, models: Iterable[ModelSpec]
) -> EngineOptions:
    """Return limits of concurrency and patience; a rehearsal waits less before its retries.

    Parameters
    ----------
    settings : ExperimentSettings
        Limits that users choose.
    models : iterable of ModelSpec
        Who is asked; one that does not rehearse is enough to spare its service.
    """
    limits = EngineOptions(
        max_concurrency=settings.max_concurrency,
        timeout_s=settings.api_timeout_s,
        num_timeouts=settings.num_api_generation_timeouts,
        num_connection_errors=settings.num_api_connection_errors,
    )
    if not all(map(_rehearses, models)):
        return limits
    return replace(
        limits,
        first_backoff_s=REHEARSAL_FIRST_BACKOFF_S,
        max_backoff_s=REHEARSAL_MAX_BACKOFF_S,
    )


def _rehearses(model: ModelSpec) -> bool:
    return model.provider == REHEARSAL_PROVIDER
