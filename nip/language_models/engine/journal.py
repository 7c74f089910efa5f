"""The journal: every finished answer, by the name of its call, before it counts.

A run that was killed asks the same calls again; the journal then answers instead of the service.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from nip.errors import ResumeError
from nip.language_models.chat import Completion, TokenUsage

Entry = Mapping[str, Any]


class Journal(Protocol):
    """Where finished answers are kept."""

    def get(self, key: str) -> Entry | None:
        """Return what was stored under a name; None if nothing was."""

    def put(self, key: str, entry: Entry) -> None:
        """Store an answer; it is safe from a kill of the process when this returns."""


class MemoryJournal:
    """A journal that lasts as long as the process, for tests and trials."""

    def __init__(self) -> None:
        self.entries: dict[str, dict[str, Any]] = {}

    def get(self, key: str) -> Entry | None:
        """Return what was stored under a name; None if nothing was."""
        return self.entries.get(key)

    def put(self, key: str, entry: Entry) -> None:
        """Store an answer."""
        self.entries[key] = dict(entry)


def to_entry(completion: Completion, digest: str, *, is_cached: bool = False) -> dict[str, Any]:
    """Return an answer as plain data that JSON can hold.

    Parameters
    ----------
    completion : Completion
        The answer.
    digest : str
        Fingerprint of what was asked.
    is_cached : bool
        Whether it came from the response cache, so that nobody paid for it.
    """
    entry = {
        "text": completion.text,
        "finish_reason": completion.finish_reason,
        "prompt_tokens": completion.usage.prompt_tokens,
        "completion_tokens": completion.usage.completion_tokens,
        "model": completion.model,
        "digest": digest,
    }
    return {**entry, "is_cached": True} if is_cached else entry


def from_entry(entry: Entry) -> Completion:
    """Read what ``to_entry`` gave."""
    return Completion(
        text=entry["text"],
        finish_reason=entry["finish_reason"],
        usage=TokenUsage(entry["prompt_tokens"], entry["completion_tokens"]),
        model=entry["model"],
    )


def read_journal(journal: Journal, key: str, digest: str) -> tuple[Completion, bool] | None:
    """Look for the answer to a call in the journal.

    Returns
    -------
    completion, is_cached
        The answer, and whether it came from the response cache; None if there is no entry.

    Raises
    ------
    ResumeError
        If the journal holds the answer to another question under this name.
    """
    entry = journal.get(key)
    if entry is None:
        return None
    if entry["digest"] != digest:
        raise ResumeError(
            f"The journal holds an answer under {key!r}, but to another question: the prompts, the "
            "dataset or the code have changed since the run began. Put the old ones back to go on, "
            "or choose another run_id for a new run."
        )
    return from_entry(entry), bool(entry.get("is_cached", False))
