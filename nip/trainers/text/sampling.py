"""Sample many rollouts concurrently, and store each one when it is finished."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path

from nip.language_models.costs.usage_tracker import UsageTracker
from nip.language_models.engine.cache import ResponseCache
from nip.language_models.engine.engine import Engine
from nip.language_models.engine.options import EngineOptions
from nip.language_models.engine.stats import EngineStats
from nip.language_models.provider_registry import ConnectionContext
from nip.run_store import RolloutPhase, Run
from nip.run_store.database.bill import USAGE_KEY
from nip.scenario_base.text.rollout import Rollout, RolloutPlan
from nip.trainers.text.service_waits import forget_waits, note_wait
from nip.trainers.text.stage_limits import (
    AllRolloutsFailedError,
    StageLimits,
    StageTally,
    TooManyFailuresError,
)
from nip.trainers.text.stored_rollouts import Play
from nip.utils.event_loop import run_all

__all__ = ["AllRolloutsFailedError", "RolloutSampler", "TooManyFailuresError"]

MAX_LIVE_ROLLOUTS = 1024
"""Minimum limit of concurrent rollouts. A limit bounds the memory, however large the stage is."""


_OPEN_STAGE_KEY = "open stage"
"""Key of the stage that is being sampled; the limits of earlier stages are not checked again."""


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
        limits: StageLimits | None = None,
    ) -> None:
        self._run = run
        self._limits = limits or StageLimits()
        self._context = context
        self._usage_tracker = usage_tracker
        self._usage_tracker.restore(run.get_state(USAGE_KEY, {}))
        self._cache_path = cache_path
        self._not_cached: dict[str, str] = {}
        self._options = options
        self._max_live = max(MAX_LIVE_ROLLOUTS, 8 * options.max_concurrency)
        self._max_concurrency = options.max_concurrency

    async def sample(
        self,
        phase: RolloutPhase,
        iteration: int,
        plans: Sequence[RolloutPlan],
        play: Play,
        on_rollout: Callable[[EngineStats], None],
        num_positions: int = 1,
        limits: StageLimits | None = None,
    ) -> None:
        """Sample the rollouts of a stage that are not stored yet.

        ``on_rollout`` is called with the statistics of the engine after each finished plan. A plan
        has ``num_positions`` positions for its dialogues, which are more than one in a tree.
        ``limits`` are those of this stage, if it has others than the rest of the run.

        Raises
        ------
        LanguageModelError
            If an error ends the run, the budget is used up, or the share of failed or invalid
            rollouts is above its limit. Finished rollouts are stored, and so are all answers of
            unfinished ones. If there are too many failed or invalid ones, these are deleted, so
            that the next start asks for them again.
        """
        stage = f"{phase}/{iteration}"
        is_missing = len(self._stored_plans(phase, iteration, num_positions)) < len(plans)
        if not is_missing and self._run.get_state(_OPEN_STAGE_KEY) != stage:
            return
        self._run.set_state(_OPEN_STAGE_KEY, stage)
        forget_waits(self._run)
        tally = StageTally(limits or self._limits, len(plans) * num_positions)
        for _, rollouts in self._by_plan(phase, iteration, num_positions):
            tally.add_plan(rollouts, num_positions)
        stored = self._stored_plans(phase, iteration, num_positions)
        missing = [plan for plan in plans if plan.position not in stored]
        try:
            tally.check()
            await self._sample_missing(
                phase, iteration, missing, play, on_rollout, tally, num_positions
            )
        except TooManyFailuresError:
            self._forget_failures(phase, iteration, tally, num_positions)
            raise
        stored = self._stored_plans(phase, iteration, num_positions)
        assert stored >= {plan.position for plan in plans}, "a dialogue of the stage is not stored"
        self._close_stage(phase, iteration)

    async def _sample_missing(
        self,
        phase: RolloutPhase,
        iteration: int,
        missing: Sequence[RolloutPlan],
        play: Play,
        on_rollout: Callable[[EngineStats], None],
        tally: StageTally,
        num_positions: int,
    ) -> None:
        # Trees are large, but one that has just begun asks only for a few answers.
        max_live = max(self._max_live // num_positions, self._max_concurrency)
        path = self._cache_path
        cache = ResponseCache(Path(path), self._not_cached) if path else None
        try:
            async with Engine(
                self._context,
                self._options,
                journal=self._run.journal,
                usage_tracker=self._usage_tracker,
                cache=cache,
                note_wait=partial(note_wait, self._run),
            ) as engine:
                for plan in missing:
                    engine.recount(plan.key_prefix)

                async def play_and_store(plan: RolloutPlan) -> None:
                    rollouts = await play(plan, engine.complete)
                    self._store(phase, iteration, rollouts, plan.key_prefix)
                    on_rollout(engine.stats)
                    tally.add_plan(rollouts, num_positions)
                    tally.check()

                await run_all(missing, play_and_store, max_live)
        finally:
            if cache is not None:
                cache.close()

    def _stored_plans(self, phase: RolloutPhase, iteration: int, num_positions: int) -> set[int]:
        positions = self._run.rollouts.positions(phase, iteration + 1)
        return {position // num_positions for position in positions}

    def _by_plan(
        self, phase: RolloutPhase, iteration: int, num_positions: int
    ) -> Iterator[tuple[int, list[Rollout]]]:
        """Yield the position of each stored plan, and its dialogues."""
        stored = map(Rollout.from_record, self._run.rollouts.load(phase, iteration + 1))
        for position, group in groupby(stored, key=lambda each: each.position // num_positions):
            yield position, list(group)

    def _store(
        self, phase: RolloutPhase, iteration: int, rollouts: Sequence[Rollout], prefix: str
    ) -> None:
        """Store the dialogues of a plan, and delete its journal entries and commit its usage.

        One transaction, so that after a kill an answer is either in the journal or in the committed
        usage. The journal entries of a plan with a failed dialogue are kept: if too many rollouts
        of the stage fail, it is asked for again.
        """
        with self._run.transaction():
            for rollout in rollouts:
                self._run.rollouts.add(phase, iteration + 1, rollout.position, rollout.to_record())
            if any(rollout.is_failed for rollout in rollouts):
                self._usage_tracker.keep(prefix)
            else:
                kept = {key for rollout in rollouts for key in rollout.kept_keys}
                self._run.journal.forget(prefix, kept)
                self._usage_tracker.commit(prefix)
            self._save_usage()

    def _save_usage(self) -> None:
        self._run.set_state(USAGE_KEY, self._usage_tracker.snapshot())

    def _forget_failures(
        self, phase: RolloutPhase, iteration: int, tally: StageTally, num_positions: int
    ) -> None:
        """Delete the plans of a stage with failed or with invalid dialogues.

        The journal still has the answers of failed ones, which will be counted again when they are
        repeated; invalid ones are repeated from their start.
        """
        with self._run.transaction():
            for position, rollouts in list(self._by_plan(phase, iteration, num_positions)):
                is_failed = any(rollout.is_failed for rollout in rollouts)
                is_invalid = any(rollout.has_invalid_message for rollout in rollouts)
                is_forgotten = (tally.too_many_failed and is_failed) or (
                    tally.too_many_invalid and is_invalid
                )
                if is_forgotten:
                    prefix = f"{phase}/{iteration}/{position}"
                    for rollout in rollouts:
                        self._run.rollouts.delete(phase, iteration + 1, rollout.position)
                    self._usage_tracker.release(prefix)
                    if not is_failed:
                        # Its invalid answers must not be read again when it is repeated.
                        self._run.journal.set_aside(prefix)
            self._save_usage()

    def _close_stage(self, phase: RolloutPhase, iteration: int) -> None:
        """Commit the usage of a stage.

        What the journal still has are answers that no finished rollout contains. They stay there.
        """
        with self._run.transaction():
            self._usage_tracker.commit(f"{phase}/{iteration}")
            self._save_usage()
            self._run.set_state(_OPEN_STAGE_KEY, None)
