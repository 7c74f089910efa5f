"""Reading of stored dialogues; a damaged record becomes a card that shows its raw text."""

import json
from dataclasses import dataclass
from typing import Any

from nip.run_store.database import RunDatabase
from nip.scenario_base.text.rollout import MessageRecord, Rollout
from nip.viewer.web.place import Place


@dataclass(frozen=True)
class DamagedRecord:
    """A stored dialogue that cannot be read."""

    problem: str
    """What is wrong with it."""

    raw: str
    """Its text as it is stored; bytes that are not UTF-8 are replaced."""


@dataclass(frozen=True)
class StoredDialogue:
    """A stored dialogue and its place."""

    place: Place
    """Where it is stored."""

    content: Rollout | DamagedRecord
    """The dialogue."""

    @property
    def rollout(self) -> Rollout | None:
        """The dialogue; None if its record is damaged."""
        return self.content if isinstance(self.content, Rollout) else None

    @property
    def damage(self) -> DamagedRecord | None:
        """The damaged record; None if it is sound."""
        return self.content if isinstance(self.content, DamagedRecord) else None

    @property
    def outcome(self) -> str:
        """``right``, ``wrong``, ``undecided``, ``failed`` or ``damaged``."""
        return "damaged" if self.rollout is None else outcome_of(self.rollout)


def outcome_of(rollout: Rollout) -> str:
    """Return how a dialogue ended: ``right``, ``wrong``, ``undecided`` or ``failed``."""
    if rollout.is_failed:
        return "failed"
    if rollout.verdict not in (0, 1):
        return "undecided"
    return "right" if rollout.verdict == rollout.y else "wrong"


def read_dialogue(database: RunDatabase, place: Place) -> StoredDialogue | None:
    """Return the dialogue at a place; None if there is none."""
    # As bytes, because SQLite does not check that a text is UTF-8.
    query = (
        "SELECT CAST(record AS BLOB) FROM rollouts "
        "WHERE phase = ? AND iteration = ? AND position = ?"
    )
    with database.transaction.reading() as connection:
        row = connection.execute(query, place[1:]).fetchone()
    return None if row is None else StoredDialogue(place, parse_record(row[0]))


def parse_record(stored: bytes) -> Rollout | DamagedRecord:
    """Parse the stored form of a dialogue."""
    try:
        record = json.loads(stored.decode("utf-8"))
        rollout = Rollout.from_record(record)
        if problem := _problem(rollout):
            return _damaged(problem, stored)
    except UnicodeDecodeError as error:
        return _damaged(f"It is not UTF-8 text (byte {error.start}).", stored)
    except (ValueError, RecursionError) as error:
        return _damaged(f"It is not JSON: {error}.", stored)
    except (LookupError, TypeError, AttributeError) as error:
        return _damaged(f"It is not a dialogue: {type(error).__name__} {error}.", stored)
    return rollout


def _damaged(problem: str, stored: bytes) -> DamagedRecord:
    return DamagedRecord(problem, stored.decode("utf-8", "replace"))


def _problem(rollout: Rollout) -> str:
    """Return which value has a type that no dialogue has; empty if all are sound."""
    for name, kind in _TYPES.items():
        if not _is(getattr(rollout, name), kind):
            return f"It is not a dialogue: {name} is {getattr(rollout, name)!r}."
    if rollout.y not in (0, 1) or rollout.verdict not in (0, 1, 2):
        return f"It is not a dialogue: label {rollout.y!r}, verdict {rollout.verdict!r}."
    for row in rollout.rewards:
        if not all(_is(value, float) for value in row):
            return f"It is not a dialogue: rewards are {row!r}."
    return next(filter(None, map(_problem_with_message, rollout.messages)), "")


def _problem_with_message(message: MessageRecord) -> str:
    for name, kind in _MESSAGE_TYPES.items():
        if not _is(getattr(message, name), kind):
            return f"It is not a dialogue: {name} of a message is {getattr(message, name)!r}."
    texts = [*message.channel_texts, *message.channel_texts.values(), *message.problems]
    if not all(isinstance(text, str) for text in texts):
        return "It is not a dialogue: a message has a text that is none."
    return ""


def _is(value: Any, kind: type) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))


_TYPES: dict[str, type] = {
    "position": int,
    "datapoint": int,
    "datapoint_id": str,
    "copy": int,
    "seed": int,
    "y": int,
    "status": str,
    "verdict": int,
    "error": str,
    "error_message": str,
}
_MESSAGE_TYPES: dict[str, type] = {
    "round": int,
    "agent": str,
    "text": str,
    "channel_texts": dict,
    "decision": int,
    "decision_text": str,
    "num_retries": int,
    "prompt_tokens": int,
    "completion_tokens": int,
    "model": str,
    "reasoning": str,
}
