import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.errors import ParameterError
from nip.language_models.chat import ModelSpec, TokenUsage
from nip.language_models.costs.account import Account, Charge
from nip.language_models.costs.prices import Price, Prices
from nip.language_models.costs.usage_tracker import UsageTracker

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


def test_a_negative_budget_is_refused() -> None:
    with pytest.raises(ParameterError, match="max_cost must be at least 0, got nan"):
        UsageTracker(max_cost=float("nan"))
    with pytest.raises(ParameterError, match="max_tokens must be at least 0, got -1"):
        UsageTracker(max_tokens=-1)


def test_a_model_without_price_is_named() -> None:
    unknown = ModelSpec("openai", "of-mine")
    tracker = UsageTracker()
    tracker.record("prover", unknown, TokenUsage(1, 1))
    assert tracker.cost_of("prover", unknown) is None
    assert tracker.models_without_price == [unknown]


def test_a_reported_cost_takes_the_place_of_the_price() -> None:
    tracker = UsageTracker(PRICES)
    tracker.record("prover", MODEL, Charge(TokenUsage(MILLION, 0), reported_cost=3.5))
    tracker.record("prover", MODEL, TokenUsage(MILLION, 0))
    # One million tokens cost 10 dollars by the list, and the others what was reported.
    assert tracker.cost == pytest.approx(13.5)
    unknown = ModelSpec("openai", "of-mine")
    tracker.record("prover", unknown, Charge(TokenUsage(5, 5), reported_cost=0.25))
    assert tracker.cost == pytest.approx(13.75)
    assert tracker.models_without_price == []
    again = UsageTracker(PRICES)
    again.restore(json.loads(json.dumps(tracker.snapshot())))
    assert again.cost == tracker.cost


def test_what_may_have_been_charged_is_no_cost_but_held_back() -> None:
    tracker = UsageTracker(PRICES)
    worst = TokenUsage(MILLION, MILLION)
    tracker.record("prover", MODEL, Charge(is_lost=True, held=worst))
    estimated = Charge(TokenUsage(MILLION, 0), is_estimated=True, held=TokenUsage(0, MILLION))
    tracker.record("prover", MODEL, estimated)
    assert tracker.cost == pytest.approx(10.0)
    assert tracker.held_cost == pytest.approx(30.0 + 20.0)
    account = tracker.accounts["prover", MODEL]
    assert (account.num_calls, account.num_estimated_calls, account.num_lost_calls) == (1, 1, 1)


def test_usage_is_uncommitted_until_its_prefix_is_committed() -> None:
    tracker = UsageTracker(PRICES)
    for key in ("train/0/1/0", "train/0/10/0"):
        tracker.record("prover", MODEL, TokenUsage(1, 1), key=key)
    assert not tracker.has_uncommitted("train/0/1")
    assert tracker.has_uncommitted("train/0/1/0") and tracker.has_uncommitted("train/0/10/0")
    tracker.commit("train/0/1")
    assert not tracker.has_uncommitted("train/0/1/0") and tracker.has_uncommitted("train/0/10/0")


def test_kept_usage_is_in_snapshots_until_it_is_released_or_committed() -> None:
    tracker = UsageTracker(PRICES)
    charges = [
        Charge(TokenUsage(7, 5), reported_cost=0.125),
        Charge(TokenUsage(3, 2), is_estimated=True, held=TokenUsage(1, 4)),
        Charge(is_lost=True, held=TokenUsage(9, 9)),
    ]
    for number, charge in enumerate(charges):
        tracker.record("prover", MODEL, charge, key=f"train/0/1/{number}")
    tracker.record("prover", MODEL, TokenUsage(2, 2), key="train/0/1/9", cached=True)
    tracker.keep("train/0/1")
    again = UsageTracker(PRICES)
    again.restore(json.loads(json.dumps(tracker.snapshot())))
    assert again.accounts == tracker.accounts and again.total == tracker.total
    assert again.snapshot() == tracker.snapshot()
    again.commit("train/0")
    assert again.snapshot()["kept"] == [] and again.total == tracker.total
    tracker.release("train/0/1")
    assert tracker.snapshot()["kept"] == [] and tracker.snapshot()["accounts"] == []
    assert tracker.total == again.total


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


def test_restoring_nothing_empties_the_books() -> None:
    tracker = UsageTracker()
    tracker.record("prover", MODEL, TokenUsage(1, 1))
    tracker.restore({})
    assert tracker.accounts == {} and tracker.total == Account()
