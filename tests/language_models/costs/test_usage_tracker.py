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
    ledger = UsageTracker(PRICES)
    ledger.record("prover", MODEL, TokenUsage(MILLION, MILLION))
    ledger.record("prover", OTHER, TokenUsage(MILLION, 0))
    ledger.record("verifier", MODEL, TokenUsage(0, MILLION))
    ledger.record("verifier", MODEL, TokenUsage(0, MILLION))
    assert list(ledger.accounts) == [
        ("prover", OTHER),
        ("prover", MODEL),
        ("verifier", MODEL),
    ]
    assert ledger.accounts["verifier", MODEL] == Account(2, 0, 2 * MILLION)
    assert ledger.cost_of("prover", MODEL) == pytest.approx(30.0)
    assert ledger.cost_of("verifier", MODEL) == pytest.approx(40.0)
    assert ledger.cost == pytest.approx(71.0)
    assert ledger.total.num_calls == 4
    assert ledger.total.usage == TokenUsage(2 * MILLION, 3 * MILLION)


def test_cached_answers_are_counted_apart_and_cost_nothing() -> None:
    ledger = UsageTracker(PRICES, max_cost=0.001)
    ledger.record("prover", MODEL, TokenUsage(MILLION, MILLION), cached=True)
    assert ledger.cost == 0.0
    assert ledger.accounts["prover", MODEL] == Account(0, 0, 0, 1, MILLION, MILLION)
    ledger.check()


def test_the_budget_in_dollars_holds() -> None:
    ledger = UsageTracker(PRICES, max_cost=30.0)
    ledger.check()
    ledger.record("prover", MODEL, TokenUsage(MILLION, 0))
    ledger.record("prover", MODEL, TokenUsage(MILLION, 0))
    ledger.check()
    # Two calls took 20 dollars: one more under way will make it 30.
    with pytest.raises(
        BudgetExceededError, match=r"spent \$20\.0000, with 1 more.*max_cost is \$30"
    ):
        ledger.check(num_under_way=1)
    ledger.record("prover", MODEL, TokenUsage(MILLION, 0))
    with pytest.raises(BudgetExceededError, match="raise max_cost"):
        ledger.check()


def test_the_budget_in_tokens_holds() -> None:
    ledger = UsageTracker(max_tokens=100)
    ledger.record("prover", OTHER, TokenUsage(90, 9))
    ledger.check()
    ledger.record("prover", OTHER, TokenUsage(0, 1))
    with pytest.raises(BudgetExceededError, match=r"100 tokens.*max_tokens is 100"):
        ledger.check()


def test_an_empty_budget_allows_nothing_and_a_negative_one_is_refused() -> None:
    with pytest.raises(BudgetExceededError):
        UsageTracker(max_cost=0.0).check()
    with pytest.raises(ParameterError, match="max_tokens must be at least 0, got -1"):
        UsageTracker(max_tokens=-1)


def test_a_model_without_price_is_told_once_and_only_where_it_matters() -> None:
    unknown = ModelSpec("openai", "of-mine")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ledger = UsageTracker()
        ledger.record("prover", unknown, TokenUsage(1, 1))
    assert ledger.cost_of("prover", unknown) is None
    assert ledger.models_without_price == [unknown]
    ledger = UsageTracker(max_cost=1.0)
    with pytest.warns(NipWarning, match=r"'of-mine'.*max_cost does not count"):
        ledger.record("prover", unknown, TokenUsage(1, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ledger.record("verifier", unknown, TokenUsage(1, 1))


def test_settling_follows_the_levels_of_the_keys() -> None:
    ledger = UsageTracker()
    for key in ("train/3/1", "train/3/1/0", "train/3/17/0", "train/3/1-", "test/3/1/0"):
        ledger.record("prover", MODEL, TokenUsage(1, 0), key=key)
    ledger.settle("train/3/1")
    assert ledger.snapshot()["accounts"][0]["num_calls"] == 2
    ledger.settle("train")
    assert ledger.snapshot()["accounts"][0]["num_calls"] == 4
    ledger.settle()
    assert ledger.snapshot()["accounts"][0]["num_calls"] == 5


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
        for ledger in (whole, killed):
            key = f"train/0/{rollout}/{number}"
            ledger.record(agent, model, TokenUsage(tokens, 1), key=key, cached=cached)
    stored = set(order[:num_stored])
    for rollout in sorted(stored):
        killed.settle(f"train/0/{rollout}")
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


def test_a_restored_ledger_goes_on_counting_in_its_own_books() -> None:
    ledger = UsageTracker(PRICES, max_cost=15.0)
    ledger.record("prover", MODEL, TokenUsage(MILLION, 0))
    again = UsageTracker(PRICES, max_cost=15.0)
    again.restore(ledger.snapshot())
    again.record("prover", MODEL, TokenUsage(MILLION, 0))
    assert again.cost == pytest.approx(20.0)
    assert ledger.cost == pytest.approx(10.0)
    with pytest.raises(BudgetExceededError):
        again.check()


def test_restoring_nothing_empties_the_books() -> None:
    ledger = UsageTracker()
    ledger.record("prover", MODEL, TokenUsage(1, 1))
    ledger.restore({})
    assert ledger.accounts == {} and ledger.total == Account()


def test_calls_under_way_are_not_expected_to_cost_what_training_did() -> None:
    ledger = UsageTracker(PRICES, max_cost=90.0)
    ledger.training_cost = 50.0
    ledger.record("prover", MODEL, TokenUsage(MILLION, 0))
    # 50 dollars of training and 10 of answers; 2 calls under way and the next are 30 more.
    ledger.check(num_under_way=2)
    with pytest.raises(BudgetExceededError, match=r"spent \$60\.0000"):
        ledger.check(num_under_way=3)
