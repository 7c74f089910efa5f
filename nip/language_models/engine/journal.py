"""The journal: a persistent store of finished calls by key, used to resume a run.

A resumed run makes the same calls again; those in the journal are answered without a request.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from nip.errors import ResumeError
from nip.language_models.chat import Completion, TokenUsage

Entry = Mapping[str, Any]


class Journal(Protocol):
    """Interface of a journal."""

    def get(self, key: str) -> Entry | None:
        """Return the entry with a key; None if there is none."""

    def put(self, key: str, entry: Entry) -> None:
        """Store an entry durably: it survives a kill of the process after this returns."""

    def below(self, prefix: str) -> list[tuple[str, Entry]]:
        """Return all keys below a prefix with their entries; all keys for the empty prefix."""


class MemoryJournal:
    """A journal in memory, for tests and experiments."""

    def __init__(self) -> None:
        self.entries: dict[str, dict[str, Any]] = {}

    def get(self, key: str) -> Entry | None:
        """Return the entry with a key; None if there is none."""
        return self.entries.get(key)

    def put(self, key: str, entry: Entry) -> None:
        """Store an entry."""
        self.entries[key] = dict(entry)

    def below(self, prefix: str) -> list[tuple[str, Entry]]:
        """Return all keys below a prefix with their entries; all keys for the empty prefix."""
        top = f"{prefix.rstrip('/')}/" if prefix else ""
        return sorted(pair for pair in self.entries.items() if pair[0].startswith(top))


def to_entry(completion: Completion, digest: str, *, is_cached: bool = False) -> dict[str, Any]:
    """Return a completion as a JSON-compatible journal entry.

    ``digest`` is the ``request_digest`` of the call; ``is_cached`` tells that the completion came
    from the response cache and cost nothing.
    """
    entry: dict[str, Any] = {
        "text": completion.text,
        "finish_reason": completion.finish_reason,
        "prompt_tokens": completion.usage.prompt_tokens,
        "completion_tokens": completion.usage.completion_tokens,
        "model": completion.model,
        "digest": digest,
    }
    if not completion.is_usage_known:
        entry["is_usage_known"] = False
    if completion.reported_cost is not None:
        entry["reported_cost"] = completion.reported_cost
    if completion.reasoning:
        entry["reasoning"] = completion.reasoning
    return {**entry, "is_cached": True} if is_cached else entry


def from_entry(entry: Entry) -> Completion:
    """Build a completion from the result of ``to_entry``."""
    return Completion(
        text=entry["text"],
        finish_reason=entry["finish_reason"],
        usage=TokenUsage(entry["prompt_tokens"], entry["completion_tokens"]),
        model=entry["model"],
        is_usage_known=entry.get("is_usage_known", True),
        reported_cost=entry.get("reported_cost"),
        reasoning=entry.get("reasoning", ""),
    )


def read_journal(journal: Journal, key: str, digest: str) -> tuple[Completion, bool] | None:
    """Return the completion of a call, and whether it came from the response cache.

    Return None if there is no entry; raise ``ResumeError`` if the one with this key belongs to a
    different request.
    """
    entry = journal.get(key)
    if entry is None:
        return None
    if entry["digest"] != digest:
        raise ResumeError(
            f"The journal entry {key!r} belongs to a different request: the prompts, the dataset "
            "or the code have changed since the run started. Restore them to resume the run, or "
            "start a new run with another run_id."
        )
    return from_entry(entry), bool(entry.get("is_cached", False))
