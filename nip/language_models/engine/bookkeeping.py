"""Store the answers of calls in journal and response cache, and count what they cost."""

from collections.abc import Mapping
from dataclasses import replace

from nip.errors import warn_user
from nip.language_models.chat import Completion, ModelSpec, TokenUsage
from nip.language_models.costs.account import Charge
from nip.language_models.costs.budget import Budget
from nip.language_models.costs.usage_tracker import UsageTracker
from nip.language_models.costs.worst_case import estimated_usage, num_prompt_bytes, worst_case
from nip.language_models.engine.cache import ResponseCache, cache_key
from nip.language_models.engine.call import Call
from nip.language_models.engine.journal import Entry, Journal, from_entry, read_journal, to_entry
from nip.language_models.errors import LanguageModelError
from nip.run_store.database.journal import SET_ASIDE

_FAILED = "failed"
"""Part of the journal key of a request that failed and was or may have been charged."""
_SENT = "sent"
"""Last part of the journal key of the request that was sent last for a call."""


class Bookkeeper:
    """Journal, response cache and usage of the calls of an engine."""

    def __init__(
        self,
        journal: Journal | None,
        cache: ResponseCache | None,
        usage_tracker: UsageTracker,
        budget: Budget,
    ) -> None:
        self.num_from_journal = self.num_from_cache = 0
        self._journal = journal
        self._cache = cache
        self._tracker = usage_tracker
        self._budget = budget
        self._warned: set[ModelSpec] = set()
        self._counted: set[str] = set()
        self._new_dialogues: set[str] = set()

    @property
    def stores_answers(self) -> bool:
        """Whether there is a journal or a cache."""
        return self._journal is not None or self._cache is not None

    def recount(self, prefix: str) -> None:
        """Count what the journal has below a prefix, before the calls ask for it.

        A resumed run must not spend money that its earlier processes have already spent.
        """
        if self._journal is None:
            return
        entries = dict(self._journal.below(prefix))
        if not entries:
            self._new_dialogues.add(prefix)
            return
        self._settle_sent(self._journal, entries)
        for key, entry in self._journal.below(prefix):
            payer = entry.get("payer")
            # Entries of earlier versions have none; they are counted when a call asks for them.
            # The usage of entries that were set aside is committed.
            if payer is None or key in self._counted or key.startswith(SET_ASIDE):
                continue
            self._counted.add(key)
            self._tracker.record(
                payer["agent"],
                ModelSpec.from_dict(payer["model"]),
                _from_record(payer["charge"]),
                key=key.partition(f"/{_FAILED}/")[0],
                cached=bool(entry.get("is_cached", False)),
            )

    def recall(self, call: Call, digest: str, address: str) -> Completion | None:
        """Look a call up in journal and response cache."""
        if self._journal is not None and self._may_be_stored(call):
            self._recount_failed(self._journal, call)
            found = read_journal(self._journal, call.key, digest)
            if found is not None:
                completion, was_cached = found
                if call.key not in self._counted:
                    self._count(call, completion, was_cached)
                self.num_from_journal += 1
                return completion
        if self._cache is not None:
            entry = self._cache.get(cache_key(address, digest))
            if entry is not None:
                completion = from_entry(entry)
                self._store(call, digest, completion, is_cached=True)
                self.num_from_cache += 1
                return completion
        return None

    def note_sent(self, call: Call) -> None:
        """Store that a request is about to be sent, if there is a budget.

        If the process is killed before the outcome is stored, the service may have charged the
        request, so that the next process counts its worst case against the budget.
        """
        if not self._budget.is_limited or self._journal is None or not call.key:
            return
        lost = _charge_of_lost(worst_case(call.messages, call.sampling.max_tokens))
        entry = {
            "num_failed": self._num_failed(self._journal, call),
            "lost": {**_to_record(lost), "payer": _payer(call, lost)},
        }
        self._journal.put(f"{call.key}/{_SENT}", entry)

    def keep(self, call: Call, digest: str, address: str, completion: Completion) -> Completion:
        """Store and count an answer of the service; return it with its tokens."""
        if not completion.is_usage_known:
            completion = replace(completion, usage=estimated_usage(call.messages, completion.text))
            self._warn_once(
                call.model,
                f"The service of {call.model.model_name} reported no valid token counts: tokens "
                "and cost of such answers are estimated from their length.",
            )
        charge = self._store(call, digest, completion)
        self._note_charge(call, charge)
        if self._cache is not None:
            self._cache.put(cache_key(address, digest), to_entry(completion, digest))
        return completion

    def note_failure(self, call: Call, error: LanguageModelError) -> None:
        """Count a failed request that was charged, or may have been.

        It is stored in the journal, because a resumed run asks again and cannot know of it.
        """
        if error.is_charged == "no":
            self._note_free(call)
            return
        worst = worst_case(call.messages, call.sampling.max_tokens)
        charge = _charge_of_failure(call, error, worst)
        self._tracker.record(call.agent, call.model, charge, key=call.key)
        self._note_charge(call, charge)
        if self._journal is not None and call.key:
            number = self._num_failed(self._journal, call)
            entry = {**_to_record(charge), "payer": _payer(call, charge)}
            self._journal.put(f"{call.key}/{_FAILED}/{number}", entry)

    def _store(
        self, call: Call, digest: str, completion: Completion, *, is_cached: bool = False
    ) -> Charge:
        charge = self._count(call, completion, is_cached)
        if self._journal is not None and call.key:
            entry = to_entry(completion, digest, is_cached=is_cached)
            self._journal.put(call.key, {**entry, "payer": _payer(call, charge)})
        return charge

    def _count(self, call: Call, completion: Completion, is_cached: bool) -> Charge:
        usage, held = completion.usage, TokenUsage()
        if not completion.is_usage_known and not is_cached:
            held = _excess(worst_case(call.messages, call.sampling.max_tokens), usage)
        charge = Charge(
            usage, completion.reported_cost, is_estimated=not completion.is_usage_known, held=held
        )
        self._tracker.record(call.agent, call.model, charge, key=call.key, cached=is_cached)
        if completion.is_usage_known:
            self._tracker.observe_prompt(num_prompt_bytes(call.messages), usage.prompt_tokens)
        return charge

    def _note_charge(self, call: Call, charge: Charge) -> None:
        if self._budget.is_limited and not charge.is_lost:
            worst = worst_case(call.messages, call.sampling.max_tokens)
            self._budget.note_charge(call.model, worst, charge)

    def _note_free(self, call: Call) -> None:
        """Store that the request that was sent last is certainly not charged."""
        if self._budget.is_limited and self._journal is not None and call.key:
            self._journal.put(f"{call.key}/{_SENT}", {})

    def _settle_sent(self, journal: Journal, entries: Mapping[str, Entry]) -> None:
        """Turn requests without a stored outcome into failed ones that may have been charged."""
        for key, entry in entries.items():
            call_key, _, last = key.rpartition("/")
            if last != _SENT or not entry or call_key in entries:
                continue
            # If it failed and was charged, this entry exists.
            failed = f"{call_key}/{_FAILED}/{entry['num_failed']}"
            if failed not in entries:
                journal.put(failed, entry["lost"])

    def _recount_failed(self, journal: Journal, call: Call) -> None:
        """Count the failed requests of an earlier process."""
        for number in range(self._num_failed(journal, call)):
            key = f"{call.key}/{_FAILED}/{number}"
            entry = journal.get(key)
            assert entry is not None
            if key in self._counted:
                continue
            self._tracker.record(call.agent, call.model, _from_record(entry), key=call.key)

    def _num_failed(self, journal: Journal, call: Call) -> int:
        number = 0
        if self._may_be_stored(call):
            while journal.get(f"{call.key}/{_FAILED}/{number}") is not None:
                number += 1
        return number

    def _may_be_stored(self, call: Call) -> bool:
        """Return whether the journal may have charged answers or failures of a call.

        Most dialogues are new: the journal had nothing of them at the start, and what was stored
        since then is known without a query.
        """
        is_new = call.dialogue in self._new_dialogues and call.key.startswith(f"{call.dialogue}/")
        return self._tracker.has_uncommitted(call.key) if is_new else bool(call.key)

    def _warn_once(self, model: ModelSpec, message: str) -> None:
        price = self._tracker.prices.get(model)
        is_free = price is not None and price.prompt == price.completion == 0
        if model not in self._warned and not is_free:
            self._warned.add(model)
            warn_user(message)


def _charge_of_failure(call: Call, error: LanguageModelError, worst: TokenUsage) -> Charge:
    if error.is_charged == "unknown":
        return _charge_of_lost(worst, error)
    if error.usage is not None:
        return Charge(error.usage, error.reported_cost)
    estimated = estimated_usage(call.messages, "")
    # Half of the limit: nothing is known about the length of the answer.
    limit = call.sampling.max_tokens or 0
    usage = TokenUsage(estimated.prompt_tokens, limit // 2)
    return Charge(usage, error.reported_cost, is_estimated=True, held=_excess(worst, usage))


def _charge_of_lost(worst: TokenUsage, error: LanguageModelError | None = None) -> Charge:
    if error is None or error.usage is None:
        return Charge(is_lost=True, held=worst)
    return Charge(error.usage, error.reported_cost, is_lost=True, held=worst)


def _excess(worst: TokenUsage, usage: TokenUsage) -> TokenUsage:
    return TokenUsage(
        max(0, worst.prompt_tokens - usage.prompt_tokens),
        max(0, worst.completion_tokens - usage.completion_tokens),
    )


_COUNTS = ("prompt_tokens", "completion_tokens")


def _to_record(charge: Charge) -> dict[str, object]:
    return {
        "usage": [getattr(charge.usage, name) for name in _COUNTS],
        "held": [getattr(charge.held, name) for name in _COUNTS],
        "reported_cost": charge.reported_cost,
        "is_estimated": charge.is_estimated,
        "is_lost": charge.is_lost,
    }


def _payer(call: Call, charge: Charge) -> dict[str, object]:
    """Return what ``recount`` needs to know of a call."""
    model = call.model.to_dict()
    return {"agent": call.agent, "model": model, "charge": _to_record(charge)}


def _from_record(entry: Entry) -> Charge:
    return Charge(
        TokenUsage(*entry["usage"]),
        entry["reported_cost"],
        is_estimated=entry["is_estimated"],
        is_lost=entry["is_lost"],
        held=TokenUsage(*entry["held"]),
    )
