"""Usage and costs per agent and model.

All counts are integers, and costs are computed from the sums, so that totals do not depend on the
order of the answers.
"""

import bisect
from collections.abc import Mapping
from math import fsum
from operator import itemgetter
from typing import Any

from nip.errors import ParameterError
from nip.language_models.chat import ModelSpec, TokenUsage
from nip.language_models.costs.account import Account, Charge
from nip.language_models.costs.prices import Prices
from nip.language_models.costs.shared_budget import BudgetShare

_Accounts = dict[tuple[str, ModelSpec], Account]
_Uncommitted = tuple[str, str, ModelSpec, Charge, bool]
# Sorts after every key.
_AFTER_ALL_KEYS = "\U0010ffff"


class UsageTracker:
    """Tracks tokens and costs.

    A resumed run counts the answers that are still in the journal again. Therefore ``snapshot``
    contains only committed usage: call ``commit`` when journal entries are deleted, and store the
    snapshot in the same transaction. Then every answer is counted exactly once, even if the process
    is killed at any moment.

    Usage whose journal entries stay, although no call will read them unless the stage is repeated,
    is kept: ``keep`` makes it part of snapshots, and ``release`` removes it again from them.

    Parameters
    ----------
    prices : Prices, optional
        Prices of tokens.
    max_cost : float, optional
        Budget in dollars, which ``Budget`` enforces; None: no limit.
    max_tokens : int, optional
        Budget of prompt and completion tokens together; None: no limit.
    shared_budget : BudgetShare, optional
        Share of a budget of several runs, which ``Budget`` enforces as well; None: no limit.
    """

    def __init__(
        self,
        prices: Prices | None = None,
        max_cost: float | None = None,
        max_tokens: int | None = None,
        shared_budget: BudgetShare | None = None,
    ) -> None:
        for name, value in (("max_cost", max_cost), ("max_tokens", max_tokens)):
            # Written so that NaN, which no cost exceeds, is refused as well.
            if value is not None and not value >= 0:
                raise ParameterError(
                    f"{name} must be at least 0, got {value}. Give a limit, or None for no limit."
                )
        self.prices = prices or Prices()
        self.max_cost = max_cost
        self.max_tokens = max_tokens
        self.shared_budget = shared_budget
        self.training_cost = 0.0
        """Cost of finished fine-tuning jobs in dollars, which counts against the budget as well."""
        self.held_training_cost = 0.0
        """Worst case of the cost of fine-tuning jobs that are not finished, in dollars."""
        self.tokens_per_byte = 0.0
        """Largest ratio of reported prompt tokens to the size of the prompt in bytes."""
        self._accounts: _Accounts = {}
        self._committed: _Accounts = {}
        # Sorted by key, so that all keys with a prefix are contiguous and found by bisection.
        self._uncommitted: list[_Uncommitted] = []
        self._kept: list[_Uncommitted] = []
        self._total = Account()

    def record(
        self,
        agent: str,
        model: ModelSpec,
        usage: TokenUsage | Charge,
        *,
        key: str = "",
        cached: bool = False,
    ) -> None:
        """Count one answer.

        Parameters
        ----------
        agent : str
            Agent and model of the call.
        model : ModelSpec
            Agent and model of the call.
        usage : TokenUsage or Charge
            What the call cost.
        key : str
            Key of the call in the journal; usage without a key is committed immediately.
        cached : bool
            Whether the answer came from the response cache and cost nothing.
        """
        charge = Charge(usage) if isinstance(usage, TokenUsage) else usage
        self._count(agent, model, charge, cached)
        if key:
            entry = (key, agent, model, charge, cached)
            bisect.insort(self._uncommitted, entry, key=itemgetter(0))
        else:
            _account_of(self._committed, agent, model).add(charge, cached)

    def observe_prompt(self, num_bytes: int, num_tokens: int) -> None:
        """Note how many tokens a prompt of some bytes has; the dataset of a job is of this text."""
        if num_bytes:
            self.tokens_per_byte = max(self.tokens_per_byte, num_tokens / num_bytes)

    def has_uncommitted(self, key: str) -> bool:
        """Return whether usage with a key was counted and is not committed yet."""
        index = bisect.bisect_left(self._uncommitted, key, key=itemgetter(0))
        return index < len(self._uncommitted) and self._uncommitted[index][0] == key

    def commit(self, prefix: str = "") -> None:
        """Commit the usage of a journal key and of all keys below it.

        ``train/3/1/0`` is below ``train/3/1``, but ``train/3/17`` is not; the empty prefix commits
        all usage.
        """
        for listed in (self._uncommitted, self._kept):
            for _, agent, model, charge, cached in _take(listed, prefix):
                _account_of(self._committed, agent, model).add(charge, cached)

    def keep(self, prefix: str) -> None:
        """Make usage part of snapshots, without committing it; see the class."""
        self._kept += _take(self._uncommitted, prefix)
        self._kept.sort(key=itemgetter(0))

    def release(self, prefix: str) -> None:
        """Remove kept usage from snapshots: a resumed run will count it from the journal."""
        for entry in _take(self._kept, prefix):
            bisect.insort(self._uncommitted, entry, key=itemgetter(0))

    @property
    def cost(self) -> float:
        """Cost in dollars, including fine-tuning, as far as prices are known."""
        return self._cost_of_answers() + self.training_cost

    @property
    def held_cost(self) -> float:
        """Dollars that may have been charged in addition: lost answers, and running jobs."""
        accounts = self._accounts.items()
        held = fsum(one.held_cost(self.prices.get(model)) for (_, model), one in accounts)
        return held + self.held_training_cost

    @property
    def spent(self) -> float:
        """Dollars that have been, or may have been, charged."""
        return self.cost + self.held_cost

    def settle(self, *, exactly: bool = True) -> None:
        """Return what is left of the share of a budget of several runs.

        ``exactly`` tells whether all requests and jobs have ended, so that all of it is returned.
        """
        if self.shared_budget is not None:
            self.shared_budget.settle(self.spent, exactly=exactly)

    @property
    def total(self) -> Account:
        """Total usage of all agents and models."""
        return self._total

    @property
    def accounts(self) -> dict[tuple[str, ModelSpec], Account]:
        """Usage by agent and model, sorted by both."""
        return {key: self._accounts[key] for key in sorted(self._accounts)}

    def cost_of(self, agent: str, model: ModelSpec) -> float | None:
        """Return the cost of a model for an agent in dollars; None if the price is unknown."""
        return self._accounts[agent, model].cost(self.prices.get(model))

    @property
    def models_without_price(self) -> list[ModelSpec]:
        """Used models whose cost is neither reported nor known from a price list, sorted."""
        missing = {
            model
            for (_, model), account in self._accounts.items()
            if account.cost(self.prices.get(model)) is None
        }
        return sorted(missing)

    def snapshot(self) -> dict[str, Any]:
        """Return the committed and the kept usage as JSON-compatible data."""
        return {
            "accounts": _rows(self._committed),
            "kept": [
                {"key": key, "cached": cached, **row}
                for key, agent, model, charge, cached in self._kept
                for row in _rows({(agent, model): _single(charge, cached)})
            ],
            "tokens_per_byte": self.tokens_per_byte,
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Replace all usage by that of a snapshot."""
        self._accounts, self._committed, self._uncommitted = {}, {}, []
        self._total, self._kept = Account(), []
        self.tokens_per_byte = snapshot.get("tokens_per_byte", 0.0)
        for row in snapshot.get("accounts", []):
            agent, model = row["agent"], ModelSpec.from_dict(row["model"])
            account = Account.from_dict(row)
            for accounts in (self._accounts, self._committed):
                _account_of(accounts, agent, model).add_all(account)
            self._total.add_all(account)
        for row in snapshot.get("kept", []):
            agent, model = row["agent"], ModelSpec.from_dict(row["model"])
            charge = _charge_of(Account.from_dict(row))
            self._count(agent, model, charge, row["cached"])
            self._kept.append((row["key"], agent, model, charge, row["cached"]))

    def _cost_of_answers(self) -> float:
        # Exact, so that the order, in which names of fine-tuned models take part, has no influence.
        return fsum(self.cost_of(agent, model) or 0.0 for agent, model in self._accounts)

    def _count(self, agent: str, model: ModelSpec, charge: Charge, cached: bool) -> None:
        _account_of(self._accounts, agent, model).add(charge, cached)
        self._total.add(charge, cached)


def _account_of(accounts: _Accounts, agent: str, model: ModelSpec) -> Account:
    return accounts.setdefault((agent, model), Account())


def _take(listed: list[_Uncommitted], prefix: str) -> list[_Uncommitted]:
    """Remove and return the entries of a key and of all keys below it."""
    top = prefix.rstrip("/")
    # "0" is the character after "/", so the second range holds exactly the keys below.
    spans = [(top, top + "\0"), (f"{top}/", f"{top}0")] if top else [("", _AFTER_ALL_KEYS)]
    taken = []
    for first, last in spans:
        start = bisect.bisect_left(listed, first, key=itemgetter(0))
        end = bisect.bisect_left(listed, last, key=itemgetter(0))
        taken += listed[start:end]
        del listed[start:end]
    return taken


def _rows(accounts: _Accounts) -> list[dict[str, Any]]:
    return [
        {"agent": agent, "model": model.to_dict(), **accounts[agent, model].to_dict()}
        for agent, model in sorted(accounts)
    ]


def _single(charge: Charge, cached: bool) -> Account:
    account = Account()
    account.add(charge, cached)
    return account


def _charge_of(account: Account) -> Charge:
    """Return the only charge of an account."""
    is_cached = account.num_cached_calls > 0
    reported = account.reported_nanodollars / 1e9
    has_cost = bool(account.reported_nanodollars or account.reported_prompt_tokens)
    return Charge(
        TokenUsage(account.cached_prompt_tokens, account.cached_completion_tokens)
        if is_cached
        else account.usage,
        reported if has_cost else None,
        is_estimated=account.num_estimated_calls > 0,
        is_lost=account.num_lost_calls > 0,
        held=TokenUsage(account.held_prompt_tokens, account.held_completion_tokens),
    )
