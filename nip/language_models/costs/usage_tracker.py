"""Usage and costs per agent and model, and the budget.

All counts are integers, and costs are computed from the sums, so that totals do not depend on the
order of the answers.
"""

import bisect
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import fsum
from operator import itemgetter
from typing import Any

from nip.errors import ParameterError, warn_user
from nip.language_models.chat import ModelSpec, TokenUsage
from nip.language_models.costs.prices import Prices
from nip.language_models.errors import BudgetExceededError

_Uncommitted = tuple[str, str, ModelSpec, TokenUsage, bool]
# Sorts after every key.
_AFTER_ALL_KEYS = "\U0010ffff"


@dataclass(slots=True)
class Account:
    """Usage of one model by one agent."""

    num_calls: int = 0
    """Paid answers."""

    prompt_tokens: int = 0
    """Prompt tokens of paid answers."""

    completion_tokens: int = 0
    """Completion tokens of paid answers."""

    num_cached_calls: int = 0
    """Answers from the response cache, which cost nothing."""

    cached_prompt_tokens: int = 0
    """Prompt tokens of cached answers."""

    cached_completion_tokens: int = 0
    """Completion tokens of cached answers."""

    @property
    def usage(self) -> TokenUsage:
        """Paid tokens."""
        return TokenUsage(self.prompt_tokens, self.completion_tokens)

    def add(self, usage: TokenUsage, is_cached: bool) -> None:
        """Count one answer."""
        if is_cached:
            self.num_cached_calls += 1
            self.cached_prompt_tokens += usage.prompt_tokens
            self.cached_completion_tokens += usage.completion_tokens
        else:
            self.num_calls += 1
            self.prompt_tokens += usage.prompt_tokens
            self.completion_tokens += usage.completion_tokens


class UsageTracker:
    """Tracks tokens and costs, and checks the budget.

    A resumed run counts the answers that are still in the journal again. Therefore ``snapshot``
    contains only committed usage: call ``commit`` when journal entries are deleted, and store the
    snapshot in the same transaction. Then every answer is counted exactly once, even if the process
    is killed at any moment.

    Parameters
    ----------
    prices : Prices, optional
        Prices of tokens.
    max_cost : float, optional
        Budget in dollars; None: no limit.
    max_tokens : int, optional
        Budget of prompt and completion tokens together; None: no limit.
    """

    def __init__(
        self,
        prices: Prices | None = None,
        max_cost: float | None = None,
        max_tokens: int | None = None,
    ) -> None:
        for name, value in (("max_cost", max_cost), ("max_tokens", max_tokens)):
            if value is not None and value < 0:
                raise ParameterError(
                    f"{name} must be at least 0, got {value}. Give a limit, or None for no limit."
                )
        self.prices = prices or Prices()
        self.max_cost = max_cost
        self.max_tokens = max_tokens
        self.training_cost = 0.0
        """Cost of fine-tuning jobs in dollars, which counts against the budget as well."""
        self._accounts: dict[tuple[str, ModelSpec], Account] = {}
        self._committed: dict[tuple[str, ModelSpec], Account] = {}
        # Sorted by key, so that all keys with a prefix are contiguous and found by bisection.
        self._uncommitted: list[_Uncommitted] = []
        self._total = Account()
        self._models_without_price: set[ModelSpec] = set()

    def record(
        self,
        agent: str,
        model: ModelSpec,
        usage: TokenUsage,
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
        usage : TokenUsage
            Tokens of the call.
        key : str
            Key of the call in the journal; usage without a key is committed immediately.
        cached : bool
            Whether the answer came from the response cache and cost nothing.
        """
        self._add(self._accounts, agent, model, usage, cached)
        self._total.add(usage, cached)
        if key:
            entry = (key, agent, model, usage, cached)
            bisect.insort(self._uncommitted, entry, key=itemgetter(0))
        else:
            self._add(self._committed, agent, model, usage, cached)

    def commit(self, prefix: str = "") -> None:
        """Commit the usage of a journal key and of all keys below it.

        ``train/3/1/0`` is below ``train/3/1``, but ``train/3/17`` is not; the empty prefix commits
        all usage.
        """
        top = prefix.rstrip("/")
        # "0" is the character after "/", so the second range holds exactly the keys below.
        spans = [(top, top + "\0"), (f"{top}/", f"{top}0")] if top else [("", _AFTER_ALL_KEYS)]
        for first, last in spans:
            start = bisect.bisect_left(self._uncommitted, first, key=itemgetter(0))
            end = bisect.bisect_left(self._uncommitted, last, key=itemgetter(0))
            for _, agent, model, usage, cached in self._uncommitted[start:end]:
                self._add(self._committed, agent, model, usage, cached)
            del self._uncommitted[start:end]

    def check(self, num_under_way: int = 0) -> None:
        """Raise an error if the next call could exceed the budget.

        Parameters
        ----------
        num_under_way : int
            Running calls; each is assumed to cost the average of the answered ones.

        Raises
        ------
        BudgetExceededError
            If the budget is used up, including the expected cost of running calls.
        """
        if self.max_cost is None and self.max_tokens is None:
            return
        # Scales the usage of answered calls to answered and running ones.
        factor = 1.0 + num_under_way / self._total.num_calls if self._total.num_calls else 1.0
        answers = self._cost_of_answers()
        if self.max_cost is not None and answers * factor + self.training_cost >= self.max_cost:
            raise BudgetExceededError(
                f"{_spent(f'${self.cost:.4f}', num_under_way)}, and max_cost is "
                f"${self.max_cost:g}. Everything is saved: raise max_cost and start the run again "
                "to resume it."
            )
        tokens = self._total.usage.total_tokens
        if self.max_tokens is not None and tokens * factor >= self.max_tokens:
            raise BudgetExceededError(
                f"{_spent(f'{tokens} tokens', num_under_way)}, and max_tokens is "
                f"{self.max_tokens}. Everything is saved: raise max_tokens and start the run again "
                "to resume it."
            )

    @property
    def cost(self) -> float:
        """Cost in dollars of all models with a known price, including fine-tuning."""
        return self._cost_of_answers() + self.training_cost

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
        price = self.prices.get(model)
        return None if price is None else price.of(self._accounts[agent, model].usage)

    @property
    def models_without_price(self) -> list[ModelSpec]:
        """Used models without a known price, whose cost is not counted, sorted."""
        return sorted(self._models_without_price)

    def snapshot(self) -> dict[str, Any]:
        """Return the committed usage as JSON-compatible data."""
        return {
            "accounts": [
                {"agent": agent, "model": model.to_dict(), **asdict(self._committed[agent, model])}
                for agent, model in sorted(self._committed)
            ]
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Replace all usage by that of a snapshot."""
        self._accounts, self._committed, self._uncommitted = {}, {}, []
        self._total = Account()
        for row in snapshot.get("accounts", []):
            counts = {name: row[name] for name in Account.__slots__}
            agent, model = row["agent"], ModelSpec.from_dict(row["model"])
            self._note_model(model)
            self._accounts[agent, model] = Account(**counts)
            self._committed[agent, model] = Account(**counts)
            for name, value in counts.items():
                setattr(self._total, name, getattr(self._total, name) + value)

    def _cost_of_answers(self) -> float:
        # Exact, so that the order, in which names of fine-tuned models take part, has no influence.
        return fsum(self.cost_of(agent, model) or 0.0 for agent, model in self._accounts)

    def _add(
        self,
        accounts: dict[tuple[str, ModelSpec], Account],
        agent: str,
        model: ModelSpec,
        usage: TokenUsage,
        cached: bool,
    ) -> None:
        account = accounts.get((agent, model))
        if account is None:
            self._note_model(model)
            account = accounts[agent, model] = Account()
        account.add(usage, cached)

    def _note_model(self, model: ModelSpec) -> None:
        if model in self._models_without_price or self.prices.get(model) is not None:
            return
        self._models_without_price.add(model)
        if self.max_cost is not None:
            warn_user(
                f"The price of the model {model.model_name!r} is unknown, so max_cost does not "
                "include it. Add its price to the file of settings.prices."
            )


def _spent(amount: str, num_under_way: int) -> str:
    under_way = f", with {num_under_way} more calls under way" if num_under_way else ""
    return f"The run has spent {amount}{under_way}"
