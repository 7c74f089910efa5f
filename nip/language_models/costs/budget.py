"""The budget: no request is sent unless its worst case still fits into it."""

import asyncio
from collections import deque
from dataclasses import dataclass

from nip.errors import ParameterError
from nip.language_models.chat import ModelSpec, TokenUsage
from nip.language_models.costs.account import Charge
from nip.language_models.costs.prices import Prices
from nip.language_models.costs.shared_budget import POLL_S
from nip.language_models.costs.usage_tracker import UsageTracker
from nip.language_models.errors import (
    BudgetExceededError,
    LanguageModelError,
    SharedBudgetExceededError,
)

WAY_OUT = "Everything is saved: raise {name} and start the run again to resume it."


@dataclass(frozen=True, slots=True, eq=False)
class Reservation:
    """Dollars and tokens that are held back for one running call."""

    model: ModelSpec
    """Model of the call."""

    worst: TokenUsage
    """Worst case of the call by its text and token limit."""

    dollars: float
    """Reserved dollars."""

    tokens: int
    """Reserved tokens."""

    claimed: float = 0.0
    """Dollars that it needs of a budget of several runs."""

    is_probe: bool = False
    """Whether it is the first call to its model, whose charge may exceed its worst case."""


@dataclass(frozen=True, slots=True)
class _Waiter:
    future: "asyncio.Future[Reservation]"
    model: ModelSpec
    worst: TokenUsage


class Budget:
    """Reserves the worst case of each call, and lets calls wait until it fits.

    A call that does not fit waits for running calls, which usually cost less than their worst case;
    if none is running, the budget is exceeded. Calls get their reservations in first-in, first-out
    order. Bound to one event loop: no method awaits while its state is inconsistent.

    The worst case follows from the text and the token limit of a call. A service may charge more,
    for example for tokens of its own. So the first call to a model reserves everything that is
    left, and after that the worst case is scaled by the largest excess that was charged.

    If the tracker has a share of a budget of several runs, a call also needs a claim on that. It
    then waits for other runs as well, as long as they may return dollars.

    Parameters
    ----------
    tracker : UsageTracker
        Usage so far, and the limits.
    """

    def __init__(self, tracker: UsageTracker) -> None:
        self._tracker = tracker
        self._running: set[Reservation] = set()
        self._waiters: deque[_Waiter] = deque()
        self._excess: dict[ModelSpec, float] = {}
        self._unpriced: dict[ModelSpec, float] = {}
        self._poll: asyncio.TimerHandle | None = None
        self._has_reserved = False

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit at all."""
        return self._limits_dollars or self._tracker.max_tokens is not None

    async def reserve(self, model: ModelSpec, worst: TokenUsage) -> Reservation:
        """Wait until the worst case of a call fits; each return requires one ``release``.

        Raises
        ------
        BudgetExceededError
            If it does not fit although no other call is running, or the price is unknown.
        """
        if not self._waiters:
            reservation = self._try(model, worst)
            if reservation is not None:
                return reservation
        future: asyncio.Future[Reservation] = asyncio.get_running_loop().create_future()
        self._waiters.append(_Waiter(future, model, worst))
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self.release(future.result())
            raise

    def release(self, reservation: Reservation) -> None:
        """Return the reservation of a call that has ended, after its charge was recorded."""
        self._running.discard(reservation)
        self._settle()
        self._serve()

    def close(self) -> None:
        """Return what is left of the share of a budget of several runs."""
        # Before the first reservation, the usage of an earlier process may not be counted yet.
        if self._has_reserved:
            self._settle(exactly=True)

    def note_charge(self, model: ModelSpec, worst: TokenUsage, charge: Charge) -> None:
        """Compare the charge for an answer with the worst case that was derived from the text."""
        price = self._tracker.prices.get(model)
        excess = charge.usage.total_tokens / worst.total_tokens
        if price is not None and (bound := price.of(worst)) > 0:
            reported = charge.reported_cost
            excess = (price.of(charge.usage) if reported is None else reported) / bound
        elif charge.reported_cost:
            # The price is 0, but the service charges: reserve what a token cost at most.
            rate = charge.reported_cost / max(charge.usage.total_tokens, 1)
            self._unpriced[model] = max(self._unpriced.get(model, 0.0), rate)
        self._excess[model] = max(self._excess.get(model, 1.0), excess)
        if (share := self._tracker.shared_budget) is not None:
            share.note_excess(model, self._excess[model], self._unpriced.get(model, 0.0))

    def stop(self, error: LanguageModelError) -> None:
        """Raise an error in all waiting ``reserve`` calls."""
        while self._waiters:
            future = self._waiters.popleft().future
            if not future.done():
                future.set_exception(error)

    def _serve(self) -> None:
        while self._waiters:
            first = self._waiters[0]
            if not first.future.done():
                try:
                    reservation = self._try(first.model, first.worst)
                except BudgetExceededError as error:
                    self._waiters.popleft()
                    first.future.set_exception(error)
                    continue
                if reservation is None:
                    return
                first.future.set_result(reservation)
            self._waiters.popleft()

    def _try(self, model: ModelSpec, worst: TokenUsage) -> Reservation | None:
        """Reserve the worst case of a call; None if it has to wait for running calls."""
        tracker = self._tracker
        self._learn_from_other_runs(model)
        is_first = model not in self._excess
        claimed = self._needed_dollars(model, worst)
        if is_first and any(each.model == model for each in self._running):
            return None
        if is_first:
            # It runs alone with all that is left, so a plausible bound is enough: one token for
            # each byte would stop runs with a small budget before their first call.
            worst = TokenUsage(worst.prompt_tokens // 2, worst.completion_tokens)
        dollars, tokens = self._needed_dollars(model, worst), float(worst.total_tokens)
        tokens *= self._excess.get(model, 1.0)
        left_dollars, left_tokens = self._left()
        if dollars > left_dollars or tokens > left_tokens:
            if self._running:
                return None
            is_cost = dollars > left_dollars
            raise self._exceeded(dollars if is_cost else tokens, is_cost=is_cost)
        if not self._has_claim(dollars, claimed, is_probe=is_first):
            return None
        if is_first:
            # Nothing is known yet about what the service charges.
            dollars = left_dollars if tracker.max_cost is not None else dollars
            tokens = left_tokens if tracker.max_tokens is not None else tokens
        reservation = Reservation(model, worst, dollars, int(tokens), claimed, is_first)
        self._running.add(reservation)
        self._has_reserved = True
        return reservation

    def _has_claim(self, needed: float, wanted: float, *, is_probe: bool) -> bool:
        """Claim the dollars of a call from a budget of several runs, if there is one."""
        share = self._tracker.shared_budget
        if share is None:
            return True
        verdict = share.claim(
            self._spent_and_reserved(),
            needed,
            wanted=wanted,
            is_idle=not self._running,
            is_probe=is_probe,
        )
        if verdict == "exceeded":
            raise _shared_budget_exceeded(self._tracker, needed, "the next call")
        if verdict == "wait" and not self._running and self._poll is None:
            self._poll = asyncio.get_running_loop().call_later(POLL_S, self._ask_again)
        return verdict == "granted"

    def _ask_again(self) -> None:
        self._poll = None
        self._serve()

    def _learn_from_other_runs(self, model: ModelSpec) -> None:
        share = self._tracker.shared_budget
        if share is None or model in self._excess:
            return
        if (known := share.known_excess(model)) is not None:
            self._excess[model], self._unpriced[model] = known

    def _settle(self, *, exactly: bool = False) -> None:
        if (share := self._tracker.shared_budget) is not None:
            is_probing = any(each.is_probe for each in self._running)
            share.settle(self._spent_and_reserved(), is_probing=is_probing, exactly=exactly)

    def _spent_and_reserved(self) -> float:
        """Return all dollars that calls have or may have cost, with those that are running."""
        return self._tracker.spent + sum(each.claimed for each in self._running)

    @property
    def _limits_dollars(self) -> bool:
        return self._tracker.max_cost is not None or self._tracker.shared_budget is not None

    def _needed_dollars(self, model: ModelSpec, worst: TokenUsage) -> float:
        tracker = self._tracker
        if not self._limits_dollars:
            return 0.0
        price = tracker.prices.get(model)
        if price is None:
            limit = "" if tracker.max_cost is None else f" (${tracker.max_cost:g})"
            raise BudgetExceededError(
                f"The price of the model {model.model_name!r} is unknown, so that max_cost{limit} "
                "cannot be kept. Add its price to the file of settings.prices and start the run "
                "again to resume it."
            )
        dollars = price.of(worst) + self._unpriced.get(model, 0.0) * worst.total_tokens
        return dollars * self._excess.get(model, 1.0)

    def _left(self) -> tuple[float, float]:
        """Return the dollars and tokens that are neither spent nor reserved."""
        tracker = self._tracker
        dollars = tokens = float("inf")
        if tracker.max_cost is not None:
            reserved = sum(each.dollars for each in self._running)
            dollars = tracker.max_cost - tracker.spent - reserved
        if tracker.max_tokens is not None:
            total = tracker.total
            held = total.held_prompt_tokens + total.held_completion_tokens
            reserved_tokens = sum(each.tokens for each in self._running)
            tokens = tracker.max_tokens - total.usage.total_tokens - held - reserved_tokens
        return dollars, tokens

    def _exceeded(self, needed: float, *, is_cost: bool) -> BudgetExceededError:
        tracker = self._tracker
        if not is_cost:
            return BudgetExceededError(
                f"The run has spent {tracker.total.usage.total_tokens} tokens, the next call can "
                f"take up to {needed:.0f}, and max_tokens is {tracker.max_tokens}. "
                + WAY_OUT.format(name="max_tokens")
            )
        return BudgetExceededError(
            f"The run has spent ${tracker.cost:.4f}{describe_held(tracker)}, the next call can "
            f"cost up to ${needed:.4f}, and max_cost is ${tracker.max_cost:g}. "
            + WAY_OUT.format(name="max_cost")
        )


def check_price_is_known(
    prices: Prices, model: ModelSpec, max_cost: float | None, option: str = "settings.max_cost"
) -> None:
    """Raise ``ParameterError`` if a budget could not be kept, because a price is unknown.

    ``option`` is the name under which the user gave the budget.
    """
    if max_cost is not None and prices.get(model) is None:
        raise ParameterError(
            f"{option}={max_cost:g} cannot be kept, because the price of the model "
            f"{model.model_name!r} is unknown. Add it to a file, in dollars per million tokens, "
            f"and give it as {option.replace('max_cost', 'prices').replace('max-cost', 'prices')}; "
            "or leave out the budget."
        )


def check_job_cost(
    tracker: UsageTracker, dollars: float | None, what: str, *, is_idle: bool = True
) -> None:
    """Raise ``BudgetExceededError`` if the worst case of a fine-tuning job does not fit.

    ``dollars`` is None if the price is unknown, and ``what`` names the job. ``is_idle`` tells
    whether no other job of the run is under way, so that only other runs can return dollars.
    """
    share = tracker.shared_budget
    if tracker.max_cost is None and share is None:
        return
    if dollars is None:
        limit = "" if tracker.max_cost is None else f" (${tracker.max_cost:g})"
        raise BudgetExceededError(
            f"The price of training is unknown for {what}, so that max_cost{limit} cannot be kept. "
            "Add it to the file of settings.prices (training: dollars per million tokens) and "
            "start the run again to resume it."
        )
    if tracker.max_cost is not None and tracker.spent + dollars > tracker.max_cost:
        raise BudgetExceededError(
            f"The run has spent ${tracker.cost:.4f}{describe_held(tracker)}, {what} can cost up to "
            f"${dollars:.4f}, and max_cost is ${tracker.max_cost:g}. "
            + WAY_OUT.format(name="max_cost")
        )
    if share is not None and not share.wait_for(tracker.spent, dollars, is_idle=is_idle):
        raise _shared_budget_exceeded(tracker, dollars, what)


def _shared_budget_exceeded(
    tracker: UsageTracker, needed: float, what: str
) -> SharedBudgetExceededError:
    assert tracker.shared_budget is not None
    budget = tracker.shared_budget.read()
    return SharedBudgetExceededError(
        f"All runs of the sweep together have spent or reserved ${budget.claimed:.4f}, {what} can "
        f"cost up to ${needed:.4f}, and max_cost of the sweep is ${budget.max_cost:g}. Everything "
        "is saved: raise max_cost and start the sweep again to continue. Runs that were killed "
        "keep what they had reserved until they are resumed."
    )


def describe_held(tracker: UsageTracker) -> str:
    """Return a clause about charges that are not certain; empty if there are none."""
    held = tracker.held_cost
    return f" (and up to ${held:.4f} for lost answers and running jobs)" if held else ""
