"""``DialogueFilter``: which dialogues of a run are listed, as SQL on their stored records."""

from dataclasses import dataclass
from typing import Any

from nip.errors import ParameterError
from nip.run_store.database import RunDatabase
from nip.viewer.dialogues.records import StoredDialogue, parse_record, read_dialogue
from nip.viewer.web.place import PHASES, Place

PAGE_SIZE = 50
"""Number of dialogues on a page of the list."""

_DECIDED = "json_extract(record, '$.status') != 'failed' AND json_extract(record, '$.verdict')"
_OF_MESSAGE = "EXISTS (SELECT 1 FROM json_each(record, '$.messages') WHERE {})"

OUTCOMES = {
    "right": f"{_DECIDED} = json_extract(record, '$.y')",
    "wrong": f"{_DECIDED} = 1 - json_extract(record, '$.y')",
    "undecided": f"{_DECIDED} = 2",
    "failed": "json_extract(record, '$.status') = 'failed'",
    "not right": f"{_DECIDED} != json_extract(record, '$.y')",
    "invalid": _OF_MESSAGE.format("json_extract(value, '$.is_invalid')"),
    "retried": _OF_MESSAGE.format("json_extract(value, '$.num_retries') > 0"),
    "cut": _OF_MESSAGE.format("json_extract(value, '$.is_cut')"),
}
"""SQL conditions on sound records by the name of the filter."""

DAMAGED = "damaged"
"""Name of the filter for records that are not JSON."""

ORDERS = {
    "time": "iteration, phase DESC, position",
    "newest": "iteration DESC, phase DESC, position",
    "longest": "length(record) DESC, iteration, phase DESC, position",
}
"""SQL orders by name. Training precedes the test of an iteration."""


@dataclass(frozen=True)
class DialogueFilter:
    """Which dialogues of a run are listed, and in which order."""

    phase: str = ""
    """``train`` or ``test``; empty: both."""

    iteration: int | None = None
    """Iteration, counted from 1; None: all."""

    outcome: str = ""
    """A name in ``OUTCOMES``, or ``damaged``; empty: any."""

    label: int | None = None
    """True label; None: any."""

    question: str = ""
    """Part of the id of the datapoint; empty: any."""

    order: str = "time"
    """A name in ``ORDERS``."""

    def __post_init__(self) -> None:
        for value, known in (
            (self.phase, ("", *PHASES)),
            (self.outcome, ("", DAMAGED, *OUTCOMES)),
            (self.label, (None, 0, 1)),
            (self.order, tuple(ORDERS)),
        ):
            if value not in known:
                names = ", ".join(repr(each) for each in known if each not in ("", None))
                raise ParameterError(f"A filter of dialogues cannot be {value!r}: choose {names}.")

    @property
    def reads_records(self) -> bool:
        """Whether the condition depends on what is in the records."""
        return bool(self.outcome or self.question) or self.label is not None

    def condition(self) -> tuple[str, list[Any]]:
        """Return the SQL condition, and its values."""
        parts, values = ["1"], []
        for column, value in (("phase", self.phase), ("iteration", self.iteration)):
            if value not in ("", None):
                parts.append(f"{column} = ?")
                values.append(value)
        on_record: list[str] = []
        if self.outcome == DAMAGED:
            parts.append("NOT json_valid(record)")
        elif self.outcome:
            on_record.append(OUTCOMES[self.outcome])
        if self.label is not None:
            on_record.append("json_extract(record, '$.y') = ?")
            values.append(self.label)
        if self.question:
            on_record.append("instr(json_extract(record, '$.datapoint_id'), ?) > 0")
            values.append(self.question)
        if on_record:
            # CASE, because AND does not promise that the second part is left alone after a false
            # first one, and json_extract refuses what is not JSON.
            checks = " AND ".join(f"({each})" for each in on_record)
            parts.append(f"CASE WHEN json_valid(record) THEN {checks} ELSE 0 END")
        return " AND ".join(parts), values


@dataclass(frozen=True)
class DialoguePage:
    """One page of a list of dialogues."""

    dialogues: list[StoredDialogue]
    """The dialogues on the page."""

    number: int
    """Number of the page, from 1."""

    num_matches: int
    """Number of dialogues on all pages."""

    @property
    def num_pages(self) -> int:
        """Number of pages, at least 1."""
        return max(1, -(-self.num_matches // PAGE_SIZE))

    @property
    def first(self) -> int:
        """Number of the first dialogue on the page, from 1."""
        return (self.number - 1) * PAGE_SIZE + 1


def list_dialogues(
    database: RunDatabase, run_id: str, chosen: DialogueFilter, number: int = 1
) -> DialoguePage:
    """Return one page of the dialogues that a filter admits; its number is counted from 1."""
    condition, values = chosen.condition()
    first = (number - 1) * PAGE_SIZE
    query = (
        f"SELECT phase, iteration, position FROM rollouts WHERE {condition} "
        f"ORDER BY {ORDERS[chosen.order]}"
    )
    with database.transaction.reading() as connection:
        if chosen.reads_records:
            # A condition on records has to parse all of them: once, not for their number as well.
            rows = connection.execute(query, values).fetchall()
            num_matches, rows = len(rows), rows[first : first + PAGE_SIZE]
        else:
            counting = f"SELECT count(*) FROM rollouts WHERE {condition}"
            (num_matches,) = connection.execute(counting, values).fetchone()
            rows = connection.execute(
                f"{query} LIMIT ? OFFSET ?", [*values, PAGE_SIZE, first]
            ).fetchall()
    stored = [read_dialogue(database, Place(run_id, *row)) for row in rows]
    return DialoguePage([each for each in stored if each is not None], number, num_matches)


def list_places(database: RunDatabase, run_id: str, chosen: DialogueFilter) -> list[Place]:
    """Return the places of all dialogues that a filter admits, in its order."""
    condition, values = chosen.condition()
    query = (
        f"SELECT phase, iteration, position FROM rollouts WHERE {condition} "
        f"ORDER BY {ORDERS[chosen.order]}"
    )
    with database.transaction.reading() as connection:
        return [Place(run_id, *row) for row in connection.execute(query, values)]


def neighbours(database: RunDatabase, place: Place) -> tuple[Place | None, Place | None]:
    """Return the dialogues before and after one in its stage."""
    found: list[Place | None] = []
    for comparison, order in (("<", "DESC"), (">", "ASC")):
        query = (
            "SELECT position FROM rollouts WHERE phase = ? AND iteration = ? "
            f"AND position {comparison} ? ORDER BY position {order} LIMIT 1"
        )
        with database.transaction.reading() as connection:
            row = connection.execute(query, place[1:]).fetchone()
        found.append(None if row is None else place._replace(position=row[0]))
    return found[0], found[1]


def same_question(database: RunDatabase, run_id: str, datapoint_id: str) -> list[StoredDialogue]:
    """Return all dialogues of a run about one datapoint, in chronological order."""
    query = (
        "SELECT phase, iteration, position, CAST(record AS BLOB) FROM rollouts WHERE CASE WHEN "
        "json_valid(record) THEN json_extract(record, '$.datapoint_id') = ? ELSE 0 END "
        f"ORDER BY {ORDERS['time']}"
    )
    with database.transaction.reading() as connection:
        rows = connection.execute(query, (datapoint_id,)).fetchall()
    return [StoredDialogue(Place(run_id, *row[:3]), parse_record(row[3])) for row in rows]
