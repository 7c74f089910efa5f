"""Playing many rollouts at once, each stored when it is finished."""

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
"""Rollouts that are under way at once, at least; more wait outside, so that memory stays flat."""


_LEDGER = "ledger"
_LEDGER_BEFORE = "ledger before the stage"


class AllRolloutsFailedError(LanguageModelError):
    """Nothing came of a whole stage, so that going on would be pointless."""


class RolloutSampler:
    """Plays the rollouts of a stage and stores them, as many at once as the service allows.

    What an earlier process has stored is not played again; a rollout that was under way goes on in
    the middle, because the journal answers its first calls.

    Parameters
    ----------
    run : Run
        Where messages, rollouts and the ledger are kept.
    options : EngineOptions
        Limits of concurrency and patience.
    context : ConnectionContext
        What reaching the models takes.
    ledger : UsageTracker
        Counts what is spent; restored here to what earlier processes have spent.
    cache_path : str or None
        File of answers shared with other runs, if there is one.
    """

    def __init__(
        self,
        run: Run,
        options: EngineOptions,
        context: ConnectionContext,
        ledger: UsageTracker,
        cache_path: str | None = None,
    ) -> None:
        self._run = run
        self._context = context
        self._ledger = ledger
        self._ledger.restore(run.get_state(_LEDGER, {}))
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
        """Play what is not stored yet.

        Parameters
        ----------
        phase, iteration
            The stage.
        plans : sequence of RolloutPlan
            All rollouts of the stage.
        play : callable
            Plays one.
        on_rollout : callable
            Called with the figures of the engine after each finished rollout.

        Raises
        ------
        LanguageModelError
            If the service refuses everything, the budget is spent, or every rollout failed. What is
            finished is stored, and so are all answers to those that are not.
        """
        self._note_ledger(f"{phase}/{iteration}")
        stored = set(self._run.rollouts.positions(phase, iteration))
        missing = [plan for plan in plans if plan.position not in stored]
        cache = ResponseCache(Path(self._cache_path)) if self._cache_path else None
        try:
            async with Engine(
                self._context,
                self._options,
                journal=self._run.journal,
                ledger=self._ledger,
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
        """Store a rollout; the messages of a failed one stay, in case it is played again."""
        with self._run.transaction():
            forgotten = None if rollout.is_failed else prefix
            self._run.rollouts.add(
                phase, iteration, rollout.position, rollout.to_record(), forget=forgotten
            )
            self._settle(prefix)

    def _settle(self, prefix: str) -> None:
        """Count what was spent on these calls for good: nobody will ask the journal for them."""
        self._ledger.settle(prefix)
        self._run.set_state(_LEDGER, self._ledger.snapshot())

    def _note_ledger(self, stage: str) -> None:
        """Keep what had been spent before a stage, in case all of it has to be played again."""
        noted = self._run.get_state(_LEDGER_BEFORE, {})
        if noted.get("stage") != stage:
            snapshot = self._ledger.snapshot()
            self._run.set_state(_LEDGER_BEFORE, {"stage": stage, "snapshot": snapshot})

    def _close_stage(self, phase: RolloutPhase, iteration: int, num_rollouts: int) -> None:
        """Drop the journal of a stage; if nothing came of it, let it be played again instead."""
        errors = Counter(
            record["error_message"]
            for record in self._run.rollouts.load(phase, iteration)
            if record["status"] == "failed"
        )
        if errors and errors.total() == num_rollouts:
            with self._run.transaction():
                self._run.rollouts.delete(phase, iteration)
                # The journal still has all answers of the stage, and they will be counted again.
                before = self._run.get_state(_LEDGER_BEFORE)["snapshot"]
                self._run.set_state(_LEDGER, before)
            (worst, count) = errors.most_common(1)[0]
            raise AllRolloutsFailedError(
                f"All {num_rollouts} rollouts failed, {count} of them with: {worst.rstrip('.')}. "
                "Nothing was learnt from them. Mend the cause, and start the run again to go on."
            )
        prefix = f"{phase}/{iteration}"
        with self._run.transaction():
            self._run.journal.forget(prefix)
            self._settle(prefix)
