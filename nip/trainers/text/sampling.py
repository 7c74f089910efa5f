"""Sample many rollouts concurrently, and store each one when it is finished."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from nip.language_models.costs.usage_tracker import UsageTracker
from nip.language_models.engine.cache import ResponseCache
from nip.language_models.engine.engine import Engine
from nip.language_models.engine.options import EngineOptions
from nip.language_models.engine.stats import EngineStats
from nip.language_models.errors import LanguageModelError
from nip.language_models.provider_registry import ConnectionContext
from nip.run_store import RolloutPhase, Run
from nip.scenario_base.text.rollout import Rollout, RolloutPlan
from nip.trainers.text.stored_rollouts import PlayOne
from nip.utils.event_loop import run_all

MAX_LIVE_ROLLOUTS = 1024
"""Minimum limit of concurrent rollouts. A limit bounds the memory, however large the stage is."""

# Keys of the stored state of a run.
_USAGE_KEY = "ledger"
_USAGE_BEFORE_STAGE_KEY = "ledger before the stage"


class AllRolloutsFailedError(LanguageModelError):
    """All rollouts of a stage failed."""


class RolloutSampler:
    """Samples the rollouts of a stage concurrently, and stores them.

    Rollouts stored by an earlier process are not sampled again. A rollout that was interrupted
    resumes in the middle, because the journal answers its first calls. The usage tracker is set to
    the usage of earlier processes here.
    """

    def __init__(
        self,
        run: Run,
        options: EngineOptions,
        context: ConnectionContext,
        usage_tracker: UsageTracker,
        cache_path: str | None = None,
    ) -> None:
        self._run = run
        self._context = context
        self._usage_tracker = usage_tracker
        self._usage_tracker.restore(run.get_state(_USAGE_KEY, {}))
        self._cache_path = cache_path
        self._options = options
        self._max_live = max(MAX_LIVE_ROLLOUTS, 8 * options.max_concurrency)

    async def sample(
        self,
        phase: RolloutPhase,
        iteration: int,
        plans: Sequence[RolloutPlan],
        play: PlayOne,
        on_rollout: Callable[[EngineStats], None],
    ) -> None:
        """Sample the rollouts of a stage that are not stored yet.

        ``on_rollout`` is called with the statistics of the engine after each finished rollout.

        Raises
        ------
        LanguageModelError
            If an error ends the run, the budget is used up, or all rollouts failed. Finished
            rollouts are stored, and so are all answers of unfinished ones.
        """
        self._save_usage_before(f"{phase}/{iteration}")
        stored = set(self._run.rollouts.positions(phase, iteration + 1))
        missing = [plan for plan in plans if plan.position not in stored]
        cache = ResponseCache(Path(self._cache_path)) if self._cache_path else None
        try:
            async with Engine(
                self._context,
                self._options,
                journal=self._run.journal,
                usage_tracker=self._usage_tracker,
                cache=cache,
            ) as engine:

                async def play_and_store(plan: RolloutPlan) -> None:
                    rollout = await play(plan, engine.complete)
                    self._store(phase, iteration, rollout, plan.key_prefix)
                    on_rollout(engine.stats)

                await run_all(missing, play_and_store, self._max_live)
        finally:
            if cache is not None:
                cache.close()
        self._close_stage(phase, iteration, len(plans))

    def _store(self, phase: RolloutPhase, iteration: int, rollout: Rollout, prefix: str) -> None:
        """Store a rollout, and delete its journal entries and commit its usage.

        One transaction, so that after a kill an answer is either in the journal or in the committed
        usage. The journal entries of a failed rollout are kept: if all rollouts of the stage fail,
        it is sampled again.
        """
        with self._run.transaction():
            deleted = None if rollout.is_failed else prefix
            self._run.rollouts.add(
                phase, iteration + 1, rollout.position, rollout.to_record(), forget=deleted
            )
            self._commit_usage(prefix)

    def _commit_usage(self, prefix: str) -> None:
        """Commit the usage of calls whose journal entries are deleted."""
        self._usage_tracker.commit(prefix)
        self._run.set_state(_USAGE_KEY, self._usage_tracker.snapshot())

    def _save_usage_before(self, stage: str) -> None:
        """Store the usage before a stage, in case all of its rollouts have to be sampled again."""
        saved = self._run.get_state(_USAGE_BEFORE_STAGE_KEY, {})
        if saved.get("stage") != stage:
            snapshot = self._usage_tracker.snapshot()
            self._run.set_state(_USAGE_BEFORE_STAGE_KEY, {"stage": stage, "snapshot": snapshot})

    def _close_stage(self, phase: RolloutPhase, iteration: int, num_rollouts: int) -> None:
        """Delete the journal of a stage; if all rollouts failed, delete these instead."""
        errors = Counter(
            record["error_message"]
            for record in self._run.rollouts.load(phase, iteration + 1)
            if record["status"] == "failed"
        )
        if errors and errors.total() == num_rollouts:
            with self._run.transaction():
                self._run.rollouts.delete(phase, iteration + 1)
                # The journal still has all answers of the stage, which will be counted again when
                # the stage is repeated.
                before = self._run.get_state(_USAGE_BEFORE_STAGE_KEY)["snapshot"]
                self._run.set_state(_USAGE_KEY, before)
            (worst, count) = errors.most_common(1)[0]
            raise AllRolloutsFailedError(
                f"All {num_rollouts} rollouts failed, {count} of them with: {worst.rstrip('.')}. "
                "Fix the cause, then start the run again."
            )
        prefix = f"{phase}/{iteration}"
        with self._run.transaction():
            self._run.journal.forget(prefix)
            self._commit_usage(prefix)
