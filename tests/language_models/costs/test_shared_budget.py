"""Runs that share a budget never reserve more than it together, whatever happens to them."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from nip.errors import ParameterError
from nip.language_models.chat import Sampling
from nip.language_models.costs.budget import check_job_cost
from nip.language_models.costs.prices import Price, Prices
from nip.language_models.costs.shared_budget import (
    BudgetShare,
    SharedBudget,
    set_shared_budget,
)
from nip.language_models.costs.usage_tracker import UsageTracker
from nip.language_models.engine.engine import Engine
from nip.language_models.engine.journal import MemoryJournal
from nip.language_models.errors import SharedBudgetExceededError
from nip.utils.file_lock import FileLock
from tests.language_models.models import FakeModel, answer, call, engine_for
from tests.language_models.virtual_time import run

# A written token costs a cent, a read one nothing: a call limited to 15 costs 15 cents at most.
CENTS = Prices({"a-model": Price(0.0, 10_000.0)})
FIFTEEN = Sampling(max_tokens=15)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "budget.json"
    set_shared_budget(path, 1.0)
    return path


def folder_of(path: Path, name: str) -> Path:
    folder = path.parent / name
    folder.mkdir(exist_ok=True)
    return folder


@contextmanager
def running(path: Path, name: str) -> Iterator[BudgetShare]:
    """Hold the lock of a run, as its process does."""
    lock = FileLock(folder_of(path, name) / ".lock")
    assert lock.acquire(wait=False)
    try:
        yield BudgetShare(path, folder_of(path, name))
    finally:
        lock.release()


def killed(path: Path, name: str) -> BudgetShare:
    """Return the share of a run that no process has open."""
    return BudgetShare(path, folder_of(path, name))


def engine_of(share: BudgetShare, model: FakeModel, **limits: Any) -> Engine:
    tracker = UsageTracker(CENTS, shared_budget=share, **limits)
    return engine_for(model, usage_tracker=tracker, journal=MemoryJournal())


async def ask(engine: Engine, number: int, sampling: Sampling = FIFTEEN) -> list[Any]:
    async with engine:
        calls = [call(f"q{i}", key=f"k/{i}", sampling=sampling) for i in range(number)]
        return await asyncio.gather(*map(engine.complete, calls), return_exceptions=True)


@pytest.mark.parametrize("num_tokens", [6, 15])
def test_five_runs_with_ten_calls_at_once_each_spend_at_most_a_dollar(
    path: Path, num_tokens: int
) -> None:
    models = [
        FakeModel(*[answer(completion_tokens=num_tokens)] * 100, latency=1.0 + 0.01 * i)
        for i in range(5)
    ]

    async def work(shares: list[BudgetShare]) -> list[Engine]:
        engines = [engine_of(share, model) for share, model in zip(shares, models, strict=True)]
        outcomes = await asyncio.gather(*(ask(engine, 10) for engine in engines))
        assert {type(each) for found in outcomes for each in found if isinstance(each, Exception)}
        return engines

    with ExitStack() as stack:
        shares = [stack.enter_context(running(path, f"run{i}")) for i in range(5)]
        engines = run(work(shares))
    spent = sum(engine.usage_tracker.cost for engine in engines)
    # The worst case of the next call fits as long as at most 85 cents are spent.
    assert 0.85 < spent <= 1.0
    assert SharedBudget.read(path).claimed == pytest.approx(spent)
    assert max(model.num_at_once for model in models) > 1


def test_a_killed_run_keeps_its_claim_until_it_is_resumed(path: Path) -> None:
    assert killed(path, "first").claim(0.0, 0.7, is_idle=True) == "granted"
    with running(path, "second") as second:
        assert second.claim(0.0, 0.4, is_idle=True) == "exceeded"
        with running(path, "first") as resumed:
            # It has claimed this much before.
            assert resumed.claim(0.3, 0.4, is_idle=True) == "granted"
            assert second.claim(0.0, 0.4, is_idle=True) == "wait"
            resumed.settle(0.5)
            assert second.claim(0.0, 0.4, is_idle=True) == "granted"
    assert SharedBudget.read(path).claimed <= 1.0


def test_runs_that_all_wait_for_each_other_end(path: Path) -> None:
    with running(path, "first") as first, running(path, "second") as second:
        for share in (first, second):
            assert share.claim(0.0, 0.45, is_idle=True) == "granted"
        assert first.claim(0.45, 0.2, is_idle=True) == "wait"
        assert second.claim(0.45, 0.2, is_idle=False) == "wait"
        assert second.claim(0.45, 0.2, is_idle=True) == "exceeded"
        assert first.claim(0.45, 0.2, is_idle=True) == "exceeded"
        # What still fits is not refused.
        assert first.claim(0.45, 0.1, is_idle=True) == "granted"


def test_the_first_call_to_a_model_keeps_all_other_runs_waiting(path: Path) -> None:
    with running(path, "second") as second:
        with running(path, "first") as first:
            assert first.claim(0.0, 0.1, is_idle=True, is_probe=True) == "granted"
            assert second.claim(0.0, 0.1, is_idle=True) == "wait"
            first.settle(0.1)
            assert second.claim(0.0, 0.1, is_idle=True) == "granted"
            second.settle(0.0, exactly=True)
            assert first.claim(0.1, 0.1, is_idle=True, is_probe=True) == "granted"
        # It was killed: what it charged beyond its worst case is not known, as in a single run.
        assert second.claim(0.0, 0.1, is_idle=True) == "granted"


def test_what_a_service_charges_beyond_the_limit_is_known_to_all_runs(path: Path) -> None:
    # It writes 40 tokens whatever the limit of 15 is.
    costly = FakeModel(*[answer(completion_tokens=40)] * 9, latency=1.0)

    async def work(shares: list[BudgetShare]) -> list[Any]:
        first = await ask(engine_of(shares[0], costly), 1)
        return [*first, *await ask(engine_of(shares[1], costly), 5)]

    set_shared_budget(path, 0.7)
    with running(path, "first") as first, running(path, "second") as second:
        found = run(work([first, second]))
    # After 40 cents, 15 more would fit, but not 40 more.
    assert len(costly.asked) == 1
    assert [isinstance(each, SharedBudgetExceededError) for each in found] == [False] + [True] * 5


def test_jobs_need_a_claim_as_calls_do(path: Path) -> None:
    with running(path, "first") as first:
        tracker = UsageTracker(CENTS, shared_budget=first)
        check_job_cost(tracker, 0.7, "a job")
        tracker.training_cost = 0.7
        other = UsageTracker(CENTS, shared_budget=killed(path, "second"))
        first.settle(0.7, exactly=True)
    with pytest.raises(SharedBudgetExceededError, match=r"spent or reserved \$0.7000, a job can"):
        check_job_cost(other, 0.4, "a job")


def test_a_job_waits_for_the_jobs_of_its_own_run_before_it_waits_for_other_runs(
    path: Path,
) -> None:
    with running(path, "first") as first, running(path, "second") as second:
        assert first.claim(0.0, 0.7, is_idle=True) == "granted"
        tracker = UsageTracker(CENTS, shared_budget=second)
        tracker.held_training_cost = 0.2
        with pytest.raises(SharedBudgetExceededError):
            check_job_cost(tracker, 0.2, "a job", is_idle=False)
        # Its running job may return dollars, so that other runs wait for it.
        assert first.claim(0.7, 0.2, is_idle=True) == "wait"


def test_a_raised_budget_leaves_the_claims(path: Path) -> None:
    share = killed(path, "first")
    assert share.claim(0.0, 0.9, is_idle=True) == "granted"
    assert share.claim(0.9, 0.9, is_idle=True) == "exceeded"
    set_shared_budget(path, 2.0)
    assert share.claim(0.9, 0.9, is_idle=True) == "granted"


@pytest.mark.parametrize("content", ["", "[]", '{"max_cost": 1}', '{"claims": {}, "excess": 3}'])
def test_a_damaged_file_is_refused(path: Path, content: str) -> None:
    path.write_text(content)
    with pytest.raises(ParameterError, match="is not the file of a shared budget"):
        BudgetShare(path, path.parent)
