import json
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.errors import NipWarning, ParameterError
from nip.language_models.chat import ModelSpec, TokenUsage
from nip.language_models.costs.prices import Price, Prices
from nip.language_models.costs.usage_tracker import Account, UsageTracker
from nip.language_models.errors import BudgetExceededError

MODEL = ModelSpec("openai", "dear")
OTHER = ModelSpec("openai", "cheap")
PRICES = Prices({"dear": Price(10.0, 20.0), "cheap": Price(1.0, 2.0)})
MILLION = 1_000_000


def test_tokens_and_costs_are_kept_per_agent_and_model() -> None:
    tracker = UsageTracker(PRICES)
    tracker.record("prover", MODEL, TokenUsage(MILLION, MILLION))
    tracker.record("prover", OTHER, TokenUsage(MILLION, 0))
    tracker.record("verifier", MODEL, TokenUsage(0, MILLION))
    tracker.record("verifier", MODEL, TokenUsage(0, MILLION))
    assert list(tracker.accounts) == [
        ("prover", OTHER),
        ("prover", MODEL),
        ("verifier", MODEL),
    ]
    assert tracker.accounts["verifier", MODEL] == Account(2, 0, 2 * MILLION)
    assert tracker.cost_of("prover", MODEL) == pytest.approx(30.0)
    assert tracker.cost_of("verifier", MODEL) == pytest.approx(40.0)
    assert tracker.cost == pytest.approx(71.0)
    assert tracker.total.num_calls == 4
    assert tracker.total.usage == TokenUsage(2 * MILLION, 3 * MILLION)


def test_cached_answers_are_counted_apart_and_cost_nothing() -> None:
    tracker = UsageTracker(PRICES, max_cost=0.001)
    tracker.record("prover", MODEL, TokenUsage(MILLION, MILLION), cached=True)
    assert tracker.cost == 0.0
    assert tracker.accounts["prover", MODEL] == Account(0, 0, 0, 1, MILLION, MILLION)
    tracker.check()


def test_the_budget_in_dollars_holds() -> None:
    tracker = UsageTracker(PRICES, max_cost=30.0)
    tracker.check()
    tracker.record("prover", MODEL, TokenUsage(MILLION, 0))
    tracker.record("prover", MODEL, TokenUsage(MILLION, 0))
    tracker.check()
    # Two calls took 20 dollars: one more under way will make it 30.
    with pytest.raises(
        BudgetExceededError, match=r"spent \$20\.0000, with 1 more.*max_cost is \$30"
    ):
        tracker.check(num_under_way=1)
    tracker.record("prover", MODEL, TokenUsage(MILLION, 0))
    with pytest.raises(BudgetExceededError, match="raise max_cost"):
        tracker.check()


def test_the_budget_in_tokens_holds() -> None:
    tracker = UsageTracker(max_tokens=100)
    tracker.record("prover", OTHER, TokenUsage(90, 9))
    tracker.check()
    tracker.record("prover", OTHER, TokenUsage(0, 1))
    with pytest.raises(BudgetExceededError, match=r"100 tokens.*max_tokens is 100"):
        tracker.check()


def test_an_empty_budget_allows_nothing_and_a_negative_one_is_refused() -> None:
    with pytest.raises(BudgetExceededError):
        UsageTracker(max_cost=0.0).check()
    with pytest.raises(ParameterError, match="max_tokens must be at least 0, got -1"):
        UsageTracker(max_tokens=-1)


def test_a_model_without_price_is_reported_once_and_only_with_a_budget() -> None:
    unknown = ModelSpec("openai", "of-mine")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tracker = UsageTracker()
        tracker.record("prover", unknown, TokenUsage(1, 1))
    assert tracker.cost_of("prover", unknown) is None
    assert tracker.models_without_price == [unknown]
    tracker = UsageTracker(max_cost=1.0)
    with pytest.warns(NipWarning, match=r"'of-mine'.*max_cost does not include"):
        tracker.record("prover", unknown, TokenUsage(1, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tracker.record("verifier", unknown, TokenUsage(1, 1))


def test_settling_follows_the_levels_of_the_keys() -> None:
    tracker = UsageTracker()
    for key in ("train/3/1", "train/3/1/0", "train/3/17/0", "train/3/1-", "test/3/1/0"):
        tracker.record("prover", MODEL, TokenUsage(1, 0), key=key)
    tracker.commit("train/3/1")
    assert tracker.snapshot()["accounts"][0]["num_calls"] == 2
    tracker.commit("train")
    assert tracker.snapshot()["accounts"][0]["num_calls"] == 4
    tracker.commit()
    assert tracker.snapshot()["accounts"][0]["num_calls"] == 5


Answers = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(["prover", "verifier"]),
        st.sampled_from([MODEL, OTHER]),
        st.integers(0, 1000),
        st.booleans(),
    ),
    max_size=12,
)


@given(Answers, st.permutations(range(4)), st.integers(0, 4))
def test_a_kill_at_any_moment_counts_every_answer_once(
    answers: list[tuple[int, str, ModelSpec, int, bool]], order: list[int], num_stored: int
) -> None:
    whole, killed = UsageTracker(PRICES), UsageTracker(PRICES)
    for number, (rollout, agent, model, tokens, cached) in enumerate(answers):
        for tracker in (whole, killed):
            key = f"train/0/{rollout}/{number}"
            tracker.record(agent, model, TokenUsage(tokens, 1), key=key, cached=cached)
    stored = set(order[:num_stored])
    for rollout in sorted(stored):
        killed.commit(f"train/0/{rollout}")
    snapshot = json.loads(json.dumps(killed.snapshot()))

    resumed = UsageTracker(PRICES)
    resumed.restore(snapshot)
    for number, (rollout, agent, model, tokens, cached) in reversed(list(enumerate(answers))):
        if rollout not in stored:
            key = f"train/0/{rollout}/{number}"
            resumed.record(agent, model, TokenUsage(tokens, 1), key=key, cached=cached)
    assert resumed.accounts == whole.accounts
    assert resumed.total == whole.total
    assert resumed.cost == whole.cost


def test_a_restored_tracker_does_not_change_the_snapshot() -> None:
    tracker = UsageTracker(PRICES, max_cost=15.0)
    tracker.record("prover", MODEL, TokenUsage(MILLION, 0))
    again = UsageTracker(PRICES, max_cost=15.0)
    again.restore(tracker.snapshot())
    again.record("prover", MODEL, TokenUsage(MILLION, 0))
    assert again.cost == pytest.approx(20.0)
    assert tracker.cost == pytest.approx(10.0)
    with pytest.raises(BudgetExceededError):
        again.check()


def test_restoring_nothing_empties_the_books() -> None:
    tracker = UsageTracker()
    tracker.record("prover", MODEL, TokenUsage(1, 1))
    tracker.restore({})
    assert tracker.accounts == {} and tracker.total == Account()


def test_calls_under_way_are_not_expected_to_cost_what_training_did() -> None:
    tracker = UsageTracker(PRICES, max_cost=90.0)
    tracker.training_cost = 50.0
    tracker.record("prover", MODEL, TokenUsage(MILLION, 0))
    # 50 dollars of training and 10 of answers; 2 calls under way and the next are 30 more.
    tracker.check(num_under_way=2)
    with pytest.raises(BudgetExceededError, match=r"spent \$60\.0000"):
        tracker.check(num_under_way=3)
