"""``run_analysers`` and ``plan_analyses``: analysing the dialogues of a run, resumably."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from nip.errors import warn_user
from nip.experiment_settings import ExperimentSettings
from nip.language_models.costs.budget import check_price_is_known
from nip.language_models.costs.estimate import CallPlan, Estimate, estimate
from nip.language_models.costs.price_file import read_prices
from nip.language_models.costs.prices import Prices
from nip.language_models.costs.usage_tracker import UsageTracker
from nip.language_models.engine.cache import ResponseCache
from nip.language_models.engine.engine import Engine
from nip.language_models.errors import ErrorPolicy, LanguageModelError
from nip.language_models.provider_registry import ConnectionContext
from nip.rollout_analysis.analyser import ModelAnalyser
from nip.rollout_analysis.analysis import Analysis
from nip.rollout_analysis.failure_limits import AnalysisTally, TooManyUnreadableError
from nip.rollout_analysis.options import AnalysisOptions, connect
from nip.rollout_analysis.selection import AnalysisSelection
from nip.rollout_analysis.summary import SummaryRow, summarise, summary_json
from nip.rollout_analysis.text_run import TextRun, open_text_run
from nip.run_store.database.analysis_store import FILE_NAME, AnalysisStore
from nip.trainers.text.model_connection import choose_engine_options, close_connection
from nip.trainers.text.stage_limits import StageLimits
from nip.utils.event_loop import call_without_event_loop, run_all, run_stoppably
from nip.utils.files import write_atomically
from nip.utils.progress import ProgressBar

RESULT_FILE = "analyses.json"
"""File of the summary, in the folder of the run."""

QUESTIONS_PER_CALL = 8
"""Concurrent questions per concurrent call: some questions wait to be asked again."""

ANSWER_WORDS = 40
"""Number of words in a typical answer, for the estimate of costs."""


@dataclass(frozen=True)
class AnalysisPlan:
    """Size and estimated cost of an analysis."""

    num_stored: int
    """Questions with stored answers."""

    num_computed: int
    """Questions that need no model, or do not apply to the dialogue."""

    estimate: Estimate
    """Calls, tokens and cost of the remaining questions, if each is asked once."""


@dataclass(frozen=True)
class AnalysisResult:
    """Results of an analysis."""

    run_id: str
    """Name of the run."""

    path: Path
    """File with the summary of all analyses of the run."""

    summary: tuple[SummaryRow, ...]
    """Results of the chosen analysers, including those of earlier analyses."""

    num_failed: int
    """Questions without an answer; the next analysis asks them again."""

    cost: float
    """Cost in dollars of all analyses of the run so far, as far as prices are known."""


def plan_analyses(
    run_id: str,
    names: Sequence[str] | None = None,
    *,
    settings: ExperimentSettings | None = None,
    **options: Any,
) -> AnalysisPlan:
    """Count the questions that ``run_analysers`` would ask and estimate their cost; ask none.

    The parameters are those of ``run_analysers``.
    """
    chosen, settings, data_dir = _split(names, settings, options)
    folder = Path(settings.runs_dir) / run_id
    has_store = (folder / FILE_NAME).exists()
    with open_text_run(folder, data_dir) as run:
        selection = AnalysisSelection.of(run, chosen)
        with AnalysisStore(folder, read_only=True) if has_store else nullcontext() as store:
            return _plan(run, selection, store, read_prices(settings.prices))


def run_analysers(
    run_id: str,
    names: Sequence[str] | None = None,
    *,
    settings: ExperimentSettings | None = None,
    **options: Any,
) -> AnalysisResult:
    """Answer questions about the finished dialogues of a run, which may still be running.

    Each answer is stored in ``analyses.db`` in the folder of the run as soon as it is known. A
    further call asks only questions without a stored answer. Another model or prompt adds results
    beside the existing ones.

    Parameters
    ----------
    run_id : str
        Name of the run.
    names : Sequence[str], optional
        Names of the analysers; None: all.
    settings : ExperimentSettings, optional
        Folders of runs and data, and limits on concurrency, retries and cost. By default, the
        datasets are read from where the run read them.
    **options : Any
        Fields of ``AnalysisOptions`` (``model``, ``base_url``, ``api_key_variable``,
        ``reasoning_effort``, ``send_seed``, ``iterations``, ``phases``, ``max_rollouts``), and
        fields of ``ExperimentSettings``, which override ``settings``.

    Returns
    -------
    result : AnalysisResult
        Proportions with confidence intervals, also written to ``analyses.json``.

    Raises
    ------
    NipError
        If the run, an analyser or the model does not exist, the service refuses all calls, or the
        share of questions without an answer, or without a readable one, is above
        ``settings.max_failed_share`` or ``settings.max_invalid_share``. Answers received before
        are stored, and the next analysis asks these questions again.
    """
    chosen, settings, data_dir = _split(names, settings, options)
    folder = Path(settings.runs_dir) / run_id
    with open_text_run(folder, data_dir) as run:
        selection = AnalysisSelection.of(run, chosen)
        prices = read_prices(settings.prices)
        if selection.asks_model:
            check_price_is_known(prices, selection.model, settings.max_cost)
        context = (
            connect(selection.model, settings) if selection.asks_model else ConnectionContext()
        )
        with AnalysisStore(folder) as store:
            usage = UsageTracker(prices, settings.max_cost)
            usage.restore(store.get_state("ledger", {}))
            session = _Session(run, selection, store, settings, usage)
            call_without_event_loop(lambda: run_stoppably(session.answer_all(context)))
            return session.finish()


def _split(
    names: Sequence[str] | None, settings: ExperimentSettings | None, options: dict[str, Any]
) -> tuple[AnalysisOptions, ExperimentSettings, str | None]:
    """Separate the options from the settings and the folder of the datasets (None if not given)."""
    known = {each.name for each in fields(AnalysisOptions)}
    chosen = {name: value for name, value in options.items() if name in known}
    changes = {name: value for name, value in options.items() if name not in known}
    combined = replace(settings or ExperimentSettings(), **changes)
    has_data_dir = settings is not None or "data_dir" in changes
    return (
        AnalysisOptions(names, **chosen),
        combined,
        combined.data_dir if has_data_dir else None,
    )


def _plan(
    run: TextRun, selection: AnalysisSelection, store: AnalysisStore | None, prices: Prices
) -> AnalysisPlan:
    num_all = sum(1 for _ in selection.analyses(run))
    num_missing, num_words = 0, {analyser.name: [0, 0] for analyser in selection.analysers}
    for analysis in selection.missing(run, store):
        num_missing += 1
        if isinstance(analysis.analyser, ModelAnalyser) and analysis.needs_model:
            counts = num_words[analysis.analyser.name]
            (message,) = analysis.analyser.conversation(analysis.subject)
            counts[0] += 1
            counts[1] += len(message["content"].split())
    plans = [
        CallPlan(name, selection.model, calls, words / calls, ANSWER_WORDS)
        for name, (calls, words) in num_words.items()
        if calls
    ]
    planned = estimate(plans, prices)
    return AnalysisPlan(
        num_stored=num_all - num_missing,
        num_computed=num_missing - planned.num_calls,
        estimate=planned,
    )


@dataclass
class _Session:
    """Answers all questions without a stored answer, then writes the summary."""

    run: TextRun
    selection: AnalysisSelection
    store: AnalysisStore
    settings: ExperimentSettings
    usage: UsageTracker
    failures: list[LanguageModelError] = field(default_factory=list)

    async def answer_all(self, context: ConnectionContext) -> None:
        """Answer the missing questions, as many concurrently as the service allows."""
        options = choose_engine_options(self.settings, [self.selection.model])
        asks = [each.needs_model for each in self.selection.missing(self.run, self.store)]
        limits = StageLimits(self.settings.max_failed_share, self.settings.max_invalid_share)
        tally = AnalysisTally(limits, num_questions=sum(asks))
        try:
            with (
                ProgressBar("Analyses", len(asks), self.settings.progress) as bar,
                _response_cache(self.settings) as cache,
            ):
                async with Engine(
                    context,
                    options,
                    journal=self.store.journal,
                    usage_tracker=self.usage,
                    cache=cache,
                ) as engine:
                    engine.recount("")

                    async def answer(analysis: Analysis) -> None:
                        await self._answer(analysis, engine, tally)
                        bar.advance()
                        bar.set_metrics({"dollars": engine.stats.cost})

                    await run_all(
                        self.selection.missing(self.run, self.store),
                        answer,
                        QUESTIONS_PER_CALL * options.max_concurrency,
                    )
        except TooManyUnreadableError:
            for version in self.selection.versions:
                self.store.delete_unknown(*version)
            raise
        finally:
            await close_connection(context)

    async def _answer(self, analysis: Analysis, engine: Engine, tally: AnalysisTally) -> None:
        try:
            row = await analysis.answer(engine)
        except LanguageModelError as error:
            if error.policy is ErrorPolicy.END_RUN:
                raise
            self.failures.append(error)
            # The answers stay in the journal, and the next analysis counts them from there.
            tally.add_failure(error)
            return
        with self.store.transaction():
            self.store.add(row)
            if row.num_retries or row.finding == "unknown":
                # Answers that could not be read were paid for as well.
                self.store.journal.set_aside(analysis.key)
            else:
                self.store.journal.forget(analysis.key)
            self.usage.commit(analysis.key)
            self.store.set_state("ledger", self.usage.snapshot())
        tally.add(row)

    def finish(self) -> AnalysisResult:
        """Write the summary of all results of the run, and return that of the selection."""
        if self.failures:
            warn_user(
                f"{len(self.failures)} questions got no answer, one of them for this reason: "
                f"{self.failures[0]} All other answers are stored. Run the analysis again to "
                "repeat these questions."
            )
        run_id = self.run.folder.name
        rows = self.store.rows()
        path = self.run.folder / RESULT_FILE
        cluster_of = self.run.cluster_of()
        write_atomically(path, summary_json(run_id, summarise(rows, cluster_of)))
        versions = self.selection.versions
        chosen = [
            row
            for row in rows
            if (row.analyser, row.model, row.prompt_sha256) in versions
            and (row.phase, row.iteration) in self.selection.stages
        ]
        summary = tuple(summarise(chosen, cluster_of))
        return AnalysisResult(run_id, path, summary, len(self.failures), self.usage.cost)


@contextmanager
def _response_cache(settings: ExperimentSettings) -> Iterator[ResponseCache | None]:
    cache = ResponseCache(Path(settings.response_cache)) if settings.response_cache else None
    try:
        yield cache
    finally:
        if cache is not None:
            cache.close()
