"""Tokens and costs, per agent and model, and the budget they are held to.

All counts are whole tokens, and costs are worked out from the sums, so that totals do not depend on
the order in which answers came.
"""

import bisect
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from operator import itemgetter
from typing import Any

from nip.errors import ParameterError, warn_user
from nip.language_models.chat import ModelSpec, TokenUsage
from nip.language_models.costs.prices import Prices
from nip.language_models.errors import BudgetExceededError

_Open = tuple[str, str, ModelSpec, TokenUsage, bool]
_AFTER_ALL = "\U0010ffff"


@dataclass(slots=True)
class Account:
    """What one agent used of one model."""

    num_calls: int = 0
    """Answers that were paid for."""

    prompt_tokens: int = 0
    """Tokens of the prompts of paid answers."""

    completion_tokens: int = 0
    """Tokens of paid answers."""

    num_cached_calls: int = 0
    """Answers that came from the response cache and cost nothing."""

    cached_prompt_tokens: int = 0
    """Tokens of the prompts of cached answers."""

    cached_completion_tokens: int = 0
    """Tokens of cached answers."""

    @property
    def usage(self) -> TokenUsage:
        """Tokens that were paid for."""
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
    """Counts what is spent and says when to stop.

    An answer that is still in the journal may be met again after a kill, and is then counted by
    the resumed run. So a snapshot holds only what has been *settled*: call ``settle`` when journal
    entries are dropped, and store the snapshot in the same transaction; then every answer is
    counted once, whenever the process is killed.

    Parameters
    ----------
    prices : Prices, optional
        What tokens cost.
    max_cost : float, optional
        Dollars that may be spent; None: no limit.
    max_tokens : int, optional
        Tokens, read and written together, that may be paid for; None: no limit.
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
                    f"{name} must be at least 0, got {value}. Give a limit, or none at all."
                )
        self.prices = prices or Prices()
        self.max_cost = max_cost
        self.max_tokens = max_tokens
        self.training_cost = 0.0
        """Dollars that fine-tuning jobs have cost, which count against the budget as well."""
        self._accounts: dict[tuple[str, ModelSpec], Account] = {}
        self._settled: dict[tuple[str, ModelSpec], Account] = {}
        # In the order of the keys, so that all under a prefix stand together.
        self._open: list[_Open] = []
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
        agent, model
            On whose account it goes.
        usage : TokenUsage
            Tokens that it took.
        key : str
            Its name in the journal; without one it counts as settled at once.
        cached : bool
            Whether it came from the response cache, so that nothing was paid.
        """
        self._add(self._accounts, agent, model, usage, cached)
        self._total.add(usage, cached)
        if key:
            entry = (key, agent, model, usage, cached)
            bisect.insort(self._open, entry, key=itemgetter(0))
        else:
            self._add(self._settled, agent, model, usage, cached)

    def settle(self, prefix: str = "") -> None:
        """Say that journal entries will not be met again: those of a key and of all keys below it.

        ``train/3/1`` stands above ``train/3/1/0``, not above ``train/3/17``; the empty prefix above
        all.
        """
        top = prefix.rstrip("/")
        # "0" follows "/" among the characters.
        spans = [(top, top + "\0"), (f"{top}/", f"{top}0")] if top else [("", _AFTER_ALL)]
        for first, last in spans:
            start = bisect.bisect_left(self._open, first, key=itemgetter(0))
            end = bisect.bisect_left(self._open, last, key=itemgetter(0))
            for _, agent, model, usage, cached in self._open[start:end]:
                self._add(self._settled, agent, model, usage, cached)
            del self._open[start:end]

    def check(self, num_under_way: int = 0) -> None:
        """Raise if the next call could go beyond the budget.

        Parameters
        ----------
        num_under_way : int
            Calls that are not answered yet; each is taken to cost as much as the others did.

        Raises
        ------
        BudgetExceededError
            If nothing is left.
        """
        if self.max_cost is None and self.max_tokens is None:
            return
        ahead = 1.0 + num_under_way / self._total.num_calls if self._total.num_calls else 1.0
        answers = self._cost_of_answers()
        if self.max_cost is not None and answers * ahead + self.training_cost >= self.max_cost:
            raise BudgetExceededError(
                f"{_spent(f'${self.cost:.4f}', num_under_way)}, and max_cost is "
                f"${self.max_cost:g}. Everything is saved: raise max_cost and start the run again "
                "to go on."
            )
        tokens = self._total.usage.total_tokens
        if self.max_tokens is not None and tokens * ahead >= self.max_tokens:
            raise BudgetExceededError(
                f"{_spent(f'{tokens} tokens', num_under_way)}, and max_tokens is "
                f"{self.max_tokens}. Everything is saved: raise max_tokens and start the run again "
                "to go on."
            )

    @property
    def cost(self) -> float:
        """Dollars spent on all models whose price is known, and on training them."""
        return self._cost_of_answers() + self.training_cost

    @property
    def total(self) -> Account:
        """What all agents used of all models."""
        return self._total

    @property
    def accounts(self) -> dict[tuple[str, ModelSpec], Account]:
        """What each agent used of each model, sorted by both."""
        return {key: self._accounts[key] for key in sorted(self._accounts)}

    def cost_of(self, agent: str, model: ModelSpec) -> float | None:
        """Return the dollars that an agent spent on a model; None if its price is not known."""
        price = self.prices.get(model)
        return None if price is None else price.of(self._accounts[agent, model].usage)

    @property
    def models_without_price(self) -> list[ModelSpec]:
        """The models in use whose cost is not counted, sorted."""
        return sorted(self._models_without_price)

    def snapshot(self) -> dict[str, Any]:
        """Return all settled accounts, as plain data that JSON can hold."""
        return {
            "accounts": [
                {"agent": agent, "model": model.to_dict(), **asdict(self._settled[agent, model])}
                for agent, model in sorted(self._settled)
            ]
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Put the accounts of a snapshot in the place of all that was counted here."""
        self._accounts, self._settled, self._open = {}, {}, []
        self._total = Account()
        for row in snapshot.get("accounts", []):
            counts = {name: row[name] for name in Account.__slots__}
            agent, model = row["agent"], ModelSpec.from_dict(row["model"])
            self._note_model(model)
            self._accounts[agent, model] = Account(**counts)
            self._settled[agent, model] = Account(**counts)
            for name, value in counts.items():
                setattr(self._total, name, getattr(self._total, name) + value)

    def _cost_of_answers(self) -> float:
        return sum(self.cost_of(agent, model) or 0.0 for agent, model in sorted(self._accounts))

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
                f"No price is known for the model {model.model_name!r}, so max_cost does not count "
                "it. Give its price in settings.prices."
            )


def _spent(amount: str, num_under_way: int) -> str:
    under_way = f", with {num_under_way} more calls under way" if num_under_way else ""
    return f"The run has spent {amount}{under_way}"
