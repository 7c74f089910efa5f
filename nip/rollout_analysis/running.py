"""Ask all questions about the dialogues of a run, each once however often it is started."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nip.errors import ParameterError, warn_user
from nip.experiment_settings import ExperimentSettings
from nip.language_models.costs.estimate import CallPlan, Estimate, estimate
from nip.language_models.costs.price_file import read_prices
from nip.language_models.costs.prices import Prices
from nip.language_models.costs.usage_tracker import UsageTracker
from nip.language_models.engine.cache import ResponseCache
from nip.language_models.engine.engine import Engine
from nip.language_models.errors import ErrorPolicy, LanguageModelError
from nip.language_models.provider_registry import ConnectionContext
from nip.rollout_analysis.analyser import ModelAnalyser
from nip.rollout_analysis.analysis import Analysis, model_of
from nip.rollout_analysis.choice import AnalysisChoice
from nip.rollout_analysis.model_choice import (
    DEFAULT_MODEL,
    connect,
    model_spec_of,
)
from nip.rollout_analysis.registry import analyser_registry
from nip.rollout_analysis.summary import SummaryRow, summarise, summary_json
from nip.rollout_analysis.text_run import PHASES, TextRun, open_text_run
from nip.run_store import RolloutPhase
from nip.run_store.database.analysis_store import AnalysisStore
from nip.trainers.text.model_connection import choose_engine_options, close_connection
from nip.utils.event_loop import call_without_event_loop, run_all
from nip.utils.files import write_atomically
from nip.utils.progress import ProgressBar

RESULT_FILE = "analyses.json"
"""Where the summary is written, in the folder of the run."""

LIVE_PER_CALL = 8
"""Questions that are under way for each call that may be: some of them are being asked again."""

ANSWER_WORDS = 40
"""Words in a typical answer."""


@dataclass(frozen=True)
class AnalysisPlan:
    """What analysing a run would take."""

    num_stored: int
    """Questions whose answers are stored already."""

    num_computed: int
    """Questions that need no model, or have no meaning where they would be asked."""

    estimate: Estimate
    """Calls, tokens and costs of the others, if every answer can be read at once."""


@dataclass(frozen=True)
class AnalysisResult:
    """What came out of analysing a run."""

    run_id: str
    """Name of the run."""

    path: Path
    """File with the summary of all analyses of the run."""

    summary: tuple[SummaryRow, ...]
    """What the chosen analysers found out, earlier results included."""

    num_failed: int
    """Questions that got no answer; they are asked again the next time."""

    cost: float
    """Dollars that all analyses of the run have cost so far, as far as prices are known."""


def plan_analyses(
    run_id: str,
    names: Sequence[str] | None = None,
    *,
    model: str = DEFAULT_MODEL,
    base_url: str | None = None,
    api_key_variable: str | None = None,
    iterations: Sequence[int] | None = None,
    phases: Sequence[RolloutPhase] = PHASES,
    max_rollouts: int | None = None,
    settings: ExperimentSettings | None = None,
    **settings_kwargs: Any,
) -> AnalysisPlan:
    """Count what ``run_analysers`` would ask, and estimate what it would cost; ask nothing.

    Parameters are those of ``run_analysers``.
    """
    settings, data_dir = _settings(settings, settings_kwargs)
    folder = Path(settings.runs_dir) / run_id
    with open_text_run(folder, data_dir) as run:
        choice = _choose(
            run, names, model, base_url, api_key_variable, iterations, phases, max_rollouts
        )
        is_begun = (folder / "analyses.db").exists()
        with ExitStack() as stack:
            store = stack.enter_context(AnalysisStore(folder)) if is_begun else None
            return _plan(run, choice, store, read_prices(settings.prices))


def run_analysers(
    run_id: str,
    names: Sequence[str] | None = None,
    *,
    model: str = DEFAULT_MODEL,
    base_url: str | None = None,
    api_key_variable: str | None = None,
    iterations: Sequence[int] | None = None,
    phases: Sequence[RolloutPhase] = PHASES,
    max_rollouts: int | None = None,
    settings: ExperimentSettings | None = None,
    **settings_kwargs: Any,
) -> AnalysisResult:
    """Answer questions about the finished dialogues of a run, which may still be running.

    Answers are stored in ``analyses.db`` in the folder of the run, each as it comes. Started again,
    only what is missing is asked; another model or prompt gives results beside the old ones.

    Parameters
    ----------
    run_id : str
        Name of the run.
    names : Sequence[str], optional
        The analysers; None: all.
    model : str
        Provider and name of the model that is asked, as in ``openai:gpt-4o-mini``.
        ``rehearsal:anything`` answers at random and costs nothing.
    base_url, api_key_variable : str, optional
        Address of the service, and environment variable that holds its key, where they are not the
        provider's usual ones.
    iterations : Sequence[int], optional
        Which iterations, counted from 1; None: all.
    phases : Sequence[RolloutPhase]
        ``train`` and ``test``, or one of them.
    max_rollouts : int, optional
        Most dialogues of each stage, drawn by the seed of the run; None: all.
    settings : ExperimentSettings, optional
        Where runs and data lie, limits of concurrency, patience and cost. By default, data are
        where the run had them.
    **settings_kwargs : Any
        Single settings; they win over ``settings``.

    Returns
    -------
    result : AnalysisResult
        Shares with confidence intervals, also written to ``analyses.json``.

    Raises
    ------
    NipError
        If the run, an analyser or the model does not exist, or the service refuses every call. What
        was answered is stored.
    """
    settings, data_dir = _settings(settings, settings_kwargs)
    folder = Path(settings.runs_dir) / run_id
    with open_text_run(folder, data_dir) as run:
        choice = _choose(
            run, names, model, base_url, api_key_variable, iterations, phases, max_rollouts
        )
        asks = any(isinstance(analyser, ModelAnalyser) for analyser in choice.analysers)
        prices = read_prices(settings.prices)
        context = connect(choice.model, settings) if asks else ConnectionContext()
        with AnalysisStore(folder) as store:
            ledger = UsageTracker(prices, settings.max_cost)
            ledger.restore(store.get_state("ledger", {}))
            failures: list[LanguageModelError] = []
            call_without_event_loop(
                lambda: asyncio.run(
                    _answer_all(run, choice, store, settings, context, ledger, failures)
                )
            )
            return _finish(run, choice, store, ledger, failures)


def _settings(
    settings: ExperimentSettings | None, changes: dict[str, Any]
) -> tuple[ExperimentSettings, str | None]:
    """Combine settings; the folder of the data is None if nobody named it."""
    is_named = settings is not None or "data_dir" in changes
    combined = replace(settings or ExperimentSettings(), **changes)
    return combined, combined.data_dir if is_named else None


def _choose(
    run: TextRun,
    names: Sequence[str] | None,
    model: str,
    base_url: str | None,
    api_key_variable: str | None,
    iterations: Sequence[int] | None,
    phases: Sequence[RolloutPhase],
    max_rollouts: int | None,
) -> AnalysisChoice:
    if max_rollouts is not None and max_rollouts < 1:
        raise ParameterError(
            f"max_rollouts must be at least 1, got {max_rollouts}. Leave it out for all rollouts."
        )
    chosen = analyser_registry.names() if names is None else list(dict.fromkeys(names))
    return AnalysisChoice(
        analysers=tuple(analyser_registry[name]() for name in chosen),
        model=model_spec_of(model, base_url, api_key_variable),
        stages=tuple(run.stages(phases, iterations)),
        max_rollouts=max_rollouts,
    )


def _missing(
    run: TextRun, choice: AnalysisChoice, store: AnalysisStore | None
) -> Iterator[Analysis]:
    """Go through the questions that have no stored answer; what is computed never has."""
    stored = {
        analyser.name: store.places(
            analyser.name, model_of(analyser, choice.model), analyser.digest
        )
        for analyser in choice.analysers
        if store is not None and isinstance(analyser, ModelAnalyser)
    }
    for analysis in choice.analyses(run):
        subject = analysis.subject
        place = (subject.phase, subject.iteration, subject.rollout.position, subject.agent)
        if place not in stored.get(analysis.analyser.name, ()):
            yield analysis


def _plan(
    run: TextRun, choice: AnalysisChoice, store: AnalysisStore | None, prices: Prices
) -> AnalysisPlan:
    num_all = sum(1 for _ in choice.analyses(run))
    num_missing, num_words = 0, {analyser.name: [0, 0] for analyser in choice.analysers}
    for analysis in _missing(run, choice, store):
        num_missing += 1
        if isinstance(analysis.analyser, ModelAnalyser) and analysis.needs_model:
            counts = num_words[analysis.analyser.name]
            (message,) = analysis.analyser.conversation(analysis.subject)
            counts[0] += 1
            counts[1] += len(message["content"].split())
    plans = [
        CallPlan(name, choice.model, calls, words / calls, ANSWER_WORDS)
        for name, (calls, words) in num_words.items()
        if calls
    ]
    planned = estimate(plans, prices)
    return AnalysisPlan(
        num_stored=num_all - num_missing,
        num_computed=num_missing - planned.num_calls,
        estimate=planned,
    )


async def _answer_all(
    run: TextRun,
    choice: AnalysisChoice,
    store: AnalysisStore,
    settings: ExperimentSettings,
    context: ConnectionContext,
    ledger: UsageTracker,
    failures: list[LanguageModelError],
) -> None:
    """Answer what is missing, as many questions at once as the service allows."""
    total = sum(1 for _ in _missing(run, choice, store))
    with (
        ProgressBar("Analyses", total, settings.progress) as bar,
        _response_cache(settings) as cache,
    ):
        options = choose_engine_options(settings, [choice.model])
        try:
            async with Engine(
                context, options, journal=store.journal, ledger=ledger, cache=cache
            ) as engine:

                async def answer(analysis: Analysis) -> None:
                    try:
                        row = await analysis.answer(engine)
                    except LanguageModelError as error:
                        if error.policy is ErrorPolicy.END_RUN:
                            raise
                        failures.append(error)
                    else:
                        with store.transaction():
                            store.add(row)
                            store.journal.forget(analysis.key)
                            ledger.settle(analysis.key)
                            store.set_state("ledger", ledger.snapshot())
                    bar.advance()
                    bar.set_metrics({"dollars": engine.stats.cost})

                max_live = LIVE_PER_CALL * options.max_concurrency
                await run_all(_missing(run, choice, store), answer, max_live)
        finally:
            await close_connection(context)


@contextmanager
def _response_cache(settings: ExperimentSettings) -> Iterator[ResponseCache | None]:
    cache = ResponseCache(Path(settings.response_cache)) if settings.response_cache else None
    try:
        yield cache
    finally:
        if cache is not None:
            cache.close()


def _finish(
    run: TextRun,
    choice: AnalysisChoice,
    store: AnalysisStore,
    ledger: UsageTracker,
    failures: list[LanguageModelError],
) -> AnalysisResult:
    """Write the summary of all results, and return that of the chosen ones."""
    run_id = run.folder.name
    if failures:
        warn_user(
            f"{len(failures)} questions got no answer, one of them for this reason: {failures[0]} "
            "The others are stored; start the analysis again to ask these once more."
        )
    rows = store.rows()
    path = run.folder / RESULT_FILE
    write_atomically(path, summary_json(run_id, summarise(rows)))
    asked = {
        (analyser.name, model_of(analyser, choice.model), analyser.digest)
        for analyser in choice.analysers
    }
    chosen = [
        row
        for row in rows
        if (row.analyser, row.model, row.prompt_sha256) in asked
        and (row.phase, row.iteration) in choice.stages
    ]
    return AnalysisResult(run_id, path, tuple(summarise(chosen)), len(failures), ledger.cost)
