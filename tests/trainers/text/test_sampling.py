"""Concurrent rollouts are stored when they are finished, and none is sampled twice."""

import asyncio
from dataclasses import replace

import pytest

from nip.experiment_settings import ExperimentSettings
from nip.language_models.chat import ModelSpec, Sampling
from nip.language_models.costs.usage_tracker import UsageTracker
from nip.language_models.engine.call import Call
from nip.language_models.engine.options import EngineOptions
from nip.language_models.errors import LanguageModelError, QuotaError
from nip.language_models.provider_registry import ConnectionContext
from nip.run_store import Run
from nip.scenario_base.text.play import begin_rollout
from nip.scenario_base.text.rollout import MessageRecord, RolloutPlan
from nip.trainers.text import sampling as text_sampling
from nip.trainers.text.sampling import AllRolloutsFailedError, RolloutSampler
from nip.trainers.text.stage_limits import StageLimits, StageTally, TooManyFailuresError
from tests.scenario_base.text.dialogues import DATAPOINT

MODEL = ModelSpec("scripted", "tests.trainers.talkative_model:answer")
PLANS = [
    RolloutPlan(position, 0, seed=position, key_prefix=f"train/0/{position}")
    for position in range(6)
]


@pytest.fixture
def run(tmp_path):
    with Run.open(ExperimentSettings(runs_dir=tmp_path, progress=False), "run", {}) as run:
        yield run


def sampler_of(
    run, *, usage_tracker=None, cache_path=None, limits=None, **options
) -> RolloutSampler:
    tracker = UsageTracker() if usage_tracker is None else usage_tracker
    return RolloutSampler(
        run, EngineOptions(**options), ConnectionContext(), tracker, cache_path, limits
    )


class Game:
    """Dialogues of two messages, which go as the script says for their positions."""

    def __init__(self, **script):
        self.script = {int(name.removeprefix("p")): words for name, words in script.items()}
        self.played = []
        self.finished = []
        self.num_now = self.most_at_once = 0

    async def __call__(self, plan, complete):
        self.played.append(plan.position)
        self.num_now += 1
        self.most_at_once = max(self.most_at_once, self.num_now)
        try:
            return (await self._play(plan, complete),)
        finally:
            self.num_now -= 1

    async def _play(self, plan, complete):
        rollout = begin_rollout(DATAPOINT, plan)
        words = ["hello", self.script.get(plan.position, "go on")]
        for round, question in enumerate(words):
            key = f"{plan.key_prefix}/{round}/prover/0"
            messages = [{"role": "user", "content": question}]
            try:
                text = (await complete(Call(MODEL, messages, Sampling(), "prover", key))).text
            except LanguageModelError as error:
                if isinstance(error, QuotaError):
                    raise
                error_name = type(error).__name__
                return replace(rollout, status="failed", error=error_name, error_message=str(error))
            said = MessageRecord(round, "prover", text, {"main": text})
            rollout = replace(
                rollout, messages=(*rollout.messages, said), rewards=(*rollout.rewards, (0.0, 0.0))
            )
        self.finished.append(plan.position)
        return replace(rollout, status="completed", verdict=1)


class KilledAtTheEnd(Game):
    """Is killed in the last dialogue, after all others are finished."""

    async def _play(self, plan, complete):
        if plan.position == 5:
            await asyncio.sleep(0.2)
            raise ZeroDivisionError
        return await super()._play(plan, complete)


class Silent(Game):
    """Has no valid message in any dialogue."""

    async def _play(self, plan, complete):
        rollout = await super()._play(plan, complete)
        message = replace(rollout.messages[0], is_invalid=True)
        return replace(rollout, messages=(message,), warnings=("Round 0 has no valid answer.",))


def sample(sampler, game, plans=PLANS, seen=None):
    seen = [] if seen is None else seen
    asyncio.run(sampler.sample("train", 0, plans, game, seen.append))
    return seen


def journal_size(run) -> int:
    return len(run.journal)


def test_only_what_is_missing_is_played(run):
    sample(sampler_of(run), first := Game(), PLANS[:4])
    assert sorted(first.played) == [0, 1, 2, 3]
    seen = sample(sampler_of(run), second := Game())
    assert sorted(second.played) == [4, 5]
    assert run.rollouts.positions("train", 1) == [0, 1, 2, 3, 4, 5]
    # Two dialogues of two messages, told one by one.
    assert [stats.num_answers for stats in seen][-1] == 4
    sample(sampler_of(run), third := Game())
    assert third.played == []


def test_a_finished_stage_leaves_no_journal_and_all_costs(run):
    sample(sampler_of(run, usage_tracker=(tracker := UsageTracker())), Game())
    assert journal_size(run) == 0
    # "hello" and "go on": 1 + 2 words read, 3 + 4 written, in each of six dialogues.
    assert (tracker.total.prompt_tokens, tracker.total.completion_tokens) == (18, 42)
    restored = UsageTracker()
    sampler_of(run, usage_tracker=restored)
    assert restored.total == tracker.total
    assert restored.total.num_calls == 12


def test_a_failed_rollout_is_stored_as_failed_among_others(run):
    sample(sampler_of(run), Game(p2="this is refused"))
    records = list(run.rollouts.load("train", 1))
    assert [record["status"] for record in records] == [
        "failed" if position == 2 else "completed" for position in range(6)
    ]
    assert records[2]["error"] == "ContentFilterError"
    # The answers of a failed rollout were paid for, and no finished rollout contains them.
    assert journal_size(run) == 1


def test_paid_answers_that_were_invalid_stay_in_the_journal(run):
    class Invalid(Game):
        """The first answer of each dialogue breaks the rules."""

        async def _play(self, plan, complete):
            messages = [{"role": "user", "content": "hello"}]
            keys = [f"{plan.key_prefix}/0/prover/{attempt}" for attempt in range(2)]
            calls = [
                Call(MODEL, messages, Sampling(), "prover", key, sample_index=attempt)
                for attempt, key in enumerate(keys)
            ]
            text = [(await complete(call)).text for call in calls][-1]
            said = MessageRecord(0, "prover", text, {"main": text}, kept_keys=(keys[0],))
            return replace(
                begin_rollout(DATAPOINT, plan),
                messages=(said,),
                rewards=((0.0, 0.0),),
                status="completed",
            )

    sample(sampler_of(run, usage_tracker=(tracker := UsageTracker())), Invalid())
    assert journal_size(run) == 6
    assert run.journal.get("train/0/3/0/prover/0")["text"] == "answer to hello"
    assert run.journal.get("train/0/3/0/prover/1") is None
    # They are counted once, also after a resume.
    assert tracker.total.num_calls == 12
    sample(sampler_of(run, usage_tracker=(restored := UsageTracker())), Invalid())
    assert restored.total == tracker.total


def test_if_all_fail_rollouts_are_deleted_and_answers_are_kept(run):
    refused = {f"p{position}": "this is refused" for position in range(6)}
    with pytest.raises(AllRolloutsFailedError, match=r"All 6 rollouts failed, 6 of them with: Thi"):
        sample(sampler_of(run), Game(**refused))
    assert run.rollouts.positions("train", 1) == []
    # The six answers to "hello".
    assert journal_size(run) == 6
    tracker = UsageTracker()
    seen = sample(sampler_of(run, usage_tracker=tracker), game := Game())
    assert sorted(game.played) == [0, 1, 2, 3, 4, 5]
    assert seen[-1].num_from_journal == 6
    assert tracker.total.num_calls == 12
    assert (tracker.total.prompt_tokens, tracker.total.completion_tokens) == (18, 42)
    assert journal_size(run) == 0


def test_above_the_limit_only_the_failed_ones_are_asked_again_and_nothing_is_paid_twice(run):
    refused = {f"p{position}": "this is refused" for position in (1, 4)}
    limits = StageLimits(max_failed_share=0.3)
    message = r"2 of 6 rollouts failed, which is more than settings.max_failed_share=0.3; 2 of them"
    with pytest.raises(TooManyFailuresError, match=message):
        sample(sampler_of(run, limits=limits), Game(**refused))
    left = run.rollouts.positions("train", 1)
    assert {1, 4}.isdisjoint(left)
    tracker = UsageTracker()
    sample(sampler_of(run, usage_tracker=tracker, limits=limits), game := Game())
    assert sorted({*left, *game.played}) == list(range(6))
    # As in a run without failures: each answer is counted once.
    assert tracker.total.num_calls == 12
    assert (tracker.total.prompt_tokens, tracker.total.completion_tokens) == (18, 42)
    assert journal_size(run) == 0
    assert [record["status"] for record in run.rollouts.load("train", 1)] == ["completed"] * 6


def test_a_share_at_the_limit_is_allowed_and_its_usage_survives_a_kill(run):
    refused = {f"p{position}": "this is refused" for position in (1, 4)}
    limits = StageLimits(max_failed_share=1 / 3)
    with pytest.raises(ZeroDivisionError):
        sample(sampler_of(run, limits=limits), KilledAtTheEnd(**refused), PLANS)
    tracker = UsageTracker()
    sample(sampler_of(run, usage_tracker=tracker, limits=limits), Game(**refused), PLANS)
    statuses = [record["status"] for record in run.rollouts.load("train", 1)]
    assert statuses.count("failed") == 2
    # Ten answers: two for each of four dialogues, and "hello" for the failed ones.
    assert tracker.total.num_calls == 10
    restored = UsageTracker()
    sampler_of(run, usage_tracker=restored)
    assert restored.total == tracker.total


def test_a_model_that_answers_nothing_stops_the_run_and_is_asked_again(run):
    limits = StageLimits(max_invalid_share=0.5)
    with pytest.raises(TooManyFailuresError, match=r"settings.max_invalid_share=0.5; one of them"):
        sample(sampler_of(run, limits=limits), Silent())
    assert run.rollouts.positions("train", 1) == []
    sample(sampler_of(run, limits=limits), Game())
    assert len(run.rollouts.positions("train", 1)) == 6


def test_later_starts_do_not_judge_a_closed_stage(run):
    sample(sampler_of(run), Game(p2="this is refused"))
    sample(sampler_of(run, limits=StageLimits(max_failed_share=0.0)), game := Game())
    assert game.played == [] and len(run.rollouts.positions("train", 1)) == 6


def test_an_empty_stage_is_no_failure(run):
    sample(sampler_of(run), Game(), plans=[])
    assert run.rollouts.positions("train", 1) == []


def test_an_error_that_ends_the_run_stops_the_others(run):
    plans = [replace(PLANS[0], position=n, key_prefix=f"train/0/{n}") for n in range(50)]
    game = Game(p3="locked")
    with pytest.raises(QuotaError, match="account is empty") as caught:
        sample(sampler_of(run, max_concurrency=1, initial_concurrency=1), game, plans)
    assert not isinstance(caught.value, BaseExceptionGroup)
    assert game.num_now == 0
    assert len(game.finished) < 49
    # What was finished is stored, what was answered is in the journal, and the run goes on there.
    assert run.rollouts.positions("train", 1) == sorted(game.finished)
    kept = journal_size(run)
    seen = sample(sampler_of(run), again := Game(), plans)
    assert len(again.played) == 50 - len(game.finished)
    assert seen[-1].num_from_journal == kept > 0


@pytest.mark.parametrize("error", [LanguageModelError("no"), ZeroDivisionError("oops")])
def test_the_first_error_is_raised_without_those_of_other_dialogues(run, error):
    async def play(plan, complete):
        raise error

    with pytest.raises(type(error)) as caught:
        sample(sampler_of(run), play)
    assert caught.value is error
    assert caught.value.__cause__ is None
    assert not isinstance(caught.value.__context__, BaseExceptionGroup)


def test_the_number_of_concurrent_calls_is_limited(run, monkeypatch):
    monkeypatch.setattr(text_sampling, "MAX_LIVE_ROLLOUTS", 5)
    plans = [replace(PLANS[0], position=n, key_prefix=f"train/0/{n}") for n in range(40)]
    sample(sampler_of(run, max_concurrency=1), game := Game(), plans)
    # Eight for each call that may be under way, and five at least.
    assert game.most_at_once == 8
    assert len(game.finished) == 40


def test_the_order_of_completion_changes_nothing(run, tmp_path):
    class Backwards(Game):
        async def _play(self, plan, complete):
            for _ in range(10 * (6 - plan.position)):
                await asyncio.sleep(0)
            return await super()._play(plan, complete)

    sample(sampler_of(run), backwards := Backwards())
    assert backwards.finished != sorted(backwards.finished)
    with Run.open(ExperimentSettings(runs_dir=tmp_path, progress=False), "other", {}) as other:
        sample(sampler_of(other), Game())
        first, second = (list(each.rollouts.load("train", 1)) for each in (run, other))
    assert first == second
    assert [record["position"] for record in first] == list(range(6))


def test_answers_of_other_runs_are_used_where_a_cache_is_named(run, tmp_path):
    cache_path = str(tmp_path / "cache.db")
    sample(sampler_of(run, cache_path=cache_path), Game())
    tracker = UsageTracker()
    with Run.open(ExperimentSettings(runs_dir=tmp_path, progress=False), "other", {}) as other:
        sample(sampler_of(other, usage_tracker=tracker, cache_path=cache_path), Game())
    assert tracker.total.num_calls == 0
    assert tracker.total.num_cached_calls == 12


class Trees(Game):
    """Plays two dialogues for each plan, of which the second fails at some positions."""

    def __init__(self, *failing):
        super().__init__()
        self.failing = failing

    async def __call__(self, plan, complete):
        self.played.append(plan.position)
        first = await self._play(plan, complete)
        failed = replace(first, status="failed", error="E", error_message="no")
        second = failed if plan.position in self.failing else first
        return (
            replace(first, position=2 * plan.position),
            replace(second, position=2 * plan.position + 1),
        )


def sample_trees(sampler, game):
    seen = []
    asyncio.run(sampler.sample("train", 0, PLANS, game, seen.append, num_positions=2))
    return seen


def test_the_dialogues_of_a_tree_are_stored_together(run):
    game = Trees()
    assert len(sample_trees(sampler_of(run), game)) == 6
    assert run.rollouts.positions("train", 1) == list(range(12))
    assert sorted(game.played) == list(range(6))
    assert len(run.journal) == 0
    sample_trees(sampler_of(run), game)
    assert len(game.played) == 6


def test_a_tree_with_a_failed_dialogue_is_played_again_as_a_whole(run):
    limits = StageLimits(max_failed_share=0.1)
    with pytest.raises(TooManyFailuresError, match="2 of 12 rollouts failed"):
        sample_trees(sampler_of(run, limits=limits, max_concurrency=1), Trees(4, 5))
    assert run.rollouts.positions("train", 1) == list(range(8))
    game = Trees()
    sample_trees(sampler_of(run, limits=limits), game)
    assert sorted(game.played) == [4, 5]
    assert run.rollouts.positions("train", 1) == list(range(12))


def test_the_share_of_failures_is_of_the_dialogues_that_there_are():
    rollout = begin_rollout(DATAPOINT, PLANS[0])
    failed = replace(rollout, status="failed", error_message="no")
    tally = StageTally(StageLimits(max_failed_share=0.3), num_rollouts=8)
    # Two trees of at most four dialogues each.
    tally.add_plan([rollout, failed], 4)
    assert (tally.num_rollouts, tally.too_many_failed) == (6, False)
    tally.add_plan([rollout], 4)
    assert (tally.num_rollouts, tally.too_many_failed) == (3, True)
