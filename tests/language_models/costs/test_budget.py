"""No call is sent unless its worst case still fits into the budget."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from nip.language_models.chat import ChatMessage, Completion, Sampling, TokenUsage
from nip.language_models.costs.budget import check_job_cost
from nip.language_models.costs.prices import Price, Prices
from nip.language_models.costs.usage_tracker import UsageTracker
from nip.language_models.costs.worst_case import worst_case
from nip.language_models.engine.engine import Engine
from nip.language_models.engine.journal import MemoryJournal
from nip.language_models.engine.options import EngineOptions
from nip.language_models.errors import (
    BudgetExceededError,
    ContentFilterError,
    LanguageModelError,
    MalformedAnswerError,
    ModelConnectionError,
)
from tests.language_models.models import FakeModel, answer, call, engine_for
from tests.language_models.virtual_time import run

# A written token costs a cent, a read one nothing: a call limited to 15 costs 15 cents at most.
CENTS = Prices({"a-model": Price(0.0, 10_000.0)})


def ask_all(engine: Engine, number: int, max_tokens: int = 15) -> list[Completion | BaseException]:
    async def work() -> list[Completion | BaseException]:
        async with engine:
            sampling = Sampling(max_tokens=max_tokens)
            calls = [call(f"q{i}", key=f"k/{i}", sampling=sampling) for i in range(number)]
            return await asyncio.gather(*map(engine.complete, calls), return_exceptions=True)

    return run(work())


def outcome(error: LanguageModelError, is_charged: str, usage: TokenUsage | None = None):
    error.is_charged = is_charged
    error.usage = usage
    return error


def budget_engine(model: FakeModel, max_cost: float, **options) -> Engine:
    tracker = UsageTracker(CENTS, max_cost=max_cost)
    journal = MemoryJournal()
    return engine_for(model, EngineOptions(**options), usage_tracker=tracker, journal=journal)


@pytest.mark.parametrize("concurrency", [1, 7, 100])
def test_a_dollar_buys_six_calls_of_fifteen_cents_at_any_concurrency(concurrency: int) -> None:
    model = FakeModel(*[answer(completion_tokens=15)] * 200, latency=1.0)
    engine = budget_engine(model, 1.0, max_concurrency=concurrency)
    found = ask_all(engine, 100)
    assert len(model.asked) == 6
    assert engine.usage_tracker.cost == pytest.approx(0.90)
    errors = [each for each in found if isinstance(each, BaseException)]
    # The last answers may come at the moment at which the run ends.
    assert len(errors) >= 94
    assert {str(each) for each in errors} == {
        "The run has spent $0.9000, the next call can cost up to $0.1500, and max_cost is $1. "
        "Everything is saved: raise max_cost and start the run again to resume it."
    }


def test_a_call_that_costs_less_than_its_worst_case_makes_room_for_others() -> None:
    # A cent each: the worst case of the next call fits as long as at most 85 cents are spent.
    model = FakeModel(*[answer(completion_tokens=1)] * 200, latency=1.0)
    engine = budget_engine(model, 1.0)
    ask_all(engine, 200)
    assert engine.usage_tracker.cost == pytest.approx(0.86)
    assert len(model.asked) == 86
    assert model.num_at_once == 6


def test_a_service_that_charges_more_than_the_limit_is_measured_before_others_are_asked() -> None:
    # It writes 40 tokens whatever the limit of 15 is.
    model = FakeModel(*[answer(completion_tokens=40)] * 100, latency=1.0)
    engine = budget_engine(model, 1.0)
    ask_all(engine, 100)
    assert engine.usage_tracker.cost == pytest.approx(0.80)
    assert len(model.asked) == 2


def test_a_service_that_charges_for_a_model_with_price_0_keeps_to_the_budget() -> None:
    charged = replace(answer(completion_tokens=15), reported_cost=0.15)
    model = FakeModel(*[charged] * 200, latency=1.0)
    tracker = UsageTracker(Prices({"a-model": Price(0.0, 0.0)}), max_cost=1.0)
    engine = engine_for(model, EngineOptions(max_concurrency=100), usage_tracker=tracker)
    ask_all(engine, 100)
    # The question has ten bytes and the answer 15 tokens, as many as are charged.
    assert 3 <= len(model.asked) <= 6
    assert tracker.cost == pytest.approx(0.15 * len(model.asked))


def test_a_failed_call_returns_its_reservation() -> None:
    cut = [ModelConnectionError("cut")] * 30
    model = FakeModel(*cut, *[answer(completion_tokens=15)] * 100, latency=1.0)
    engine = budget_engine(model, 1.0, num_connection_errors=30)
    ask_all(engine, 6)
    assert engine.usage_tracker.cost == pytest.approx(0.90)


@pytest.mark.parametrize(
    ("error", "cost", "held"),
    [
        # Tokens that were reported with an answer that cannot be used are paid for.
        (outcome(ContentFilterError("no"), "yes", TokenUsage(3, 9)), 0.09, 0.0),
        # Half of the limit is the estimate if they were not reported, and the rest stays possible.
        (outcome(MalformedAnswerError("?"), "yes"), 0.07, 0.08),
        # An answer that did not arrive may have been charged.
        (outcome(ModelConnectionError("cut"), "unknown"), 0.0, 0.15),
        # An earlier request of the same call was answered.
        (outcome(ModelConnectionError("cut"), "unknown", TokenUsage(3, 4)), 0.04, 0.15),
        (outcome(ModelConnectionError("refused"), "no"), 0.0, 0.0),
    ],
)
def test_a_failure_that_was_or_may_have_been_charged_counts(
    error: LanguageModelError, cost: float, held: float
) -> None:
    options = {"num_malformed_answers": 0, "num_connection_errors": 0}
    engine = budget_engine(FakeModel(error), 1.0, **options)
    assert ask_all(engine, 1) == [error]
    tracker = engine.usage_tracker
    assert tracker.cost == pytest.approx(cost)
    assert tracker.held_cost == pytest.approx(held)


def test_lost_answers_cannot_overdraw_the_budget() -> None:
    """A service charges for everything, and 19 of 20 answers get lost."""
    lost = [outcome(ModelConnectionError("cut"), "unknown") for _ in range(19)]
    model = FakeModel(*[*lost, answer(completion_tokens=15)] * 10, latency=1.0)
    engine = budget_engine(model, 1.0)
    ask_all(engine, 100)
    assert 0 < 0.15 * len(model.asked) <= 1.0


def test_a_resumed_engine_counts_charged_failures_again() -> None:
    journal = MemoryJournal()
    filtered = outcome(MalformedAnswerError("no choices"), "yes", TokenUsage(3, 9))
    first = engine_for(
        FakeModel(filtered, filtered, answer(completion_tokens=15)),
        usage_tracker=UsageTracker(CENTS),
        journal=journal,
    )
    ask_all(first, 1)
    assert first.usage_tracker.cost == pytest.approx(0.09 + 0.09 + 0.15)
    second = engine_for(FakeModel(), usage_tracker=UsageTracker(CENTS), journal=journal)
    ask_all(second, 1)
    assert second.usage_tracker.total == first.usage_tracker.total


def test_a_resumed_engine_sends_nothing_that_its_journal_has_no_money_left_for() -> None:
    journal = MemoryJournal()
    # The first request of the first process was charged, but failed: 9 + 5 times 15 cents.
    filtered = outcome(MalformedAnswerError("no choices"), "yes", TokenUsage(3, 9))
    first = engine_for(
        FakeModel(filtered, *[answer(completion_tokens=15)] * 5, latency=1.0),
        EngineOptions(max_concurrency=1),
        usage_tracker=UsageTracker(CENTS),
        journal=journal,
    )
    ask_all(first, 5)
    for _ in range(2):
        model, tracker = FakeModel(), UsageTracker(CENTS, max_cost=0.9)
        engine = engine_for(model, usage_tracker=tracker, journal=journal)
        engine.recount("k")
        assert tracker.total == first.usage_tracker.total
        assert tracker.cost == pytest.approx(0.84)

        async def ask_new_first(engine: Engine = engine) -> None:
            async with engine:
                sampling = Sampling(max_tokens=15)
                await engine.complete(call("new", key="k/9", sampling=sampling))

        with pytest.raises(BudgetExceededError, match=r"spent \$0.8400"):
            run(ask_new_first())
        assert model.asked == []
    # The answers are read from the journal, and not counted twice.
    engine = engine_for(FakeModel(), usage_tracker=UsageTracker(CENTS), journal=journal)
    engine.recount("k")
    engine.recount("k/1")
    ask_all(engine, 5)
    assert engine.usage_tracker.total == first.usage_tracker.total


class KilledWhileAsked(FakeModel):
    """Copies the journal as a kill would leave it during the last request."""

    def __init__(self, *outcomes: Completion | Exception, journal: MemoryJournal) -> None:
        super().__init__(*outcomes)
        self.journal, self.left = journal, MemoryJournal()

    async def complete(self, messages: Sequence[ChatMessage], sampling: Sampling) -> Completion:
        self.left.entries = dict(self.journal.entries)
        return await super().complete(messages, sampling)


FREE = outcome(ModelConnectionError("refused"), "no")
PAID = outcome(MalformedAnswerError("no choices"), "yes", TokenUsage(3, 9))


@pytest.mark.parametrize(
    ("before", "cents_before"), [([], 0), ([FREE], 0), ([PAID], 9), ([PAID, FREE, PAID], 18)]
)
def test_a_request_under_way_at_a_kill_counts_with_its_worst_case(
    before: list[LanguageModelError], cents_before: int
) -> None:
    journal = MemoryJournal()
    model = KilledWhileAsked(answer(completion_tokens=4), *before, answer(), journal=journal)
    tracker = UsageTracker(CENTS, max_cost=9.0)
    options = EngineOptions(max_concurrency=1)
    ask_all(engine_for(model, options, usage_tracker=tracker, journal=journal), 2)
    # All requests of the undisturbed process have an outcome: nothing is held.
    undisturbed = UsageTracker(CENTS, max_cost=9.0)
    engine_for(FakeModel(), usage_tracker=undisturbed, journal=journal).recount("k")
    assert undisturbed.total == tracker.total and undisturbed.held_cost == 0
    # The process that follows the kill finds one request without an outcome, and counts it once.
    for _ in range(2):
        resumed = UsageTracker(CENTS, max_cost=9.0)
        engine_for(FakeModel(), usage_tracker=resumed, journal=model.left).recount("k")
        assert resumed.cost == pytest.approx(0.04 + cents_before / 100)
        assert resumed.held_cost == pytest.approx(0.15)
        assert resumed.total.num_lost_calls == 1


def test_a_budget_of_tokens_counts_prompts_by_their_bytes() -> None:
    assert worst_case([{"role": "user", "content": "äb"}], 15) == TokenUsage(3 + 2 * 16, 15)
    # 34 + 15 tokens are reserved for each call, and it takes 10 + 5.
    tracker = UsageTracker(max_tokens=100)
    model = FakeModel(latency=1.0)
    engine = engine_for(model, usage_tracker=tracker)
    (error, *_) = [each for each in ask_all(engine, 9) if isinstance(each, BaseException)]
    assert isinstance(error, BudgetExceededError) and "max_tokens is 100" in str(error)
    assert tracker.total.usage.total_tokens == 60


def test_a_model_without_price_is_not_asked_with_a_budget() -> None:
    model = FakeModel()
    engine = engine_for(model, usage_tracker=UsageTracker(max_cost=1.0))
    spec = call().model
    engine.usage_tracker.prices._found[spec, None] = None  # as if its provider were not free
    (error,) = ask_all(engine, 1)
    assert isinstance(error, BudgetExceededError) and "settings.prices" in str(error)
    assert model.asked == []


def test_a_job_must_fit_beside_all_that_is_spent_and_held_back() -> None:
    tracker = UsageTracker(CENTS, max_cost=10.0)
    tracker.training_cost, tracker.held_training_cost = 3.0, 2.0
    check_job_cost(tracker, 5.0, "the job")
    with pytest.raises(BudgetExceededError, match=r"spent \$3.0000 \(and up to \$2.0000.*the job"):
        check_job_cost(tracker, 5.01, "the job")
    with pytest.raises(BudgetExceededError, match="price of training is unknown"):
        check_job_cost(tracker, None, "the job")
    check_job_cost(UsageTracker(CENTS), None, "the job")
