"""Search queries as users write them, and their matches."""

import re
import sqlite3
from dataclasses import dataclass

from nip.viewer.search.index import TURN_BITS, indexable
from nip.viewer.web.place import Place

PAGE_SIZE = 30
"""Number of matches on a page."""

_WORDS = re.compile(r'(-?)(?:"([^"]*)"?|(\S+))')
_START, _END = "\x02", "\x03"
_SNIPPET_TOKENS = 40


@dataclass(frozen=True)
class Match:
    """One message that matches."""

    place: Place
    """The dialogue."""

    turn: int
    """Index of the message in the dialogue."""

    agent: str
    """Who wrote it; empty for a damaged record."""

    pieces: list[tuple[str, bool]]
    """Part of the message around a match, in pieces, with whether each is a match."""

    @property
    def url(self) -> str:
        """Address of the message."""
        return f"{self.place.url}#turn-{self.turn}"


@dataclass(frozen=True)
class SearchQuery:
    """What is searched, and in which messages."""

    text: str
    """Words that all occur in the message, ``"phrases"``, beginnings ``wor*``, and ``-excluded``
    words."""

    run: str = ""
    """Id of the run; empty: all."""

    agent: str = ""
    """Name of the agent; empty: all."""

    phase: str = ""
    """``train`` or ``test``; empty: both."""

    @property
    def expression(self) -> str:
        """Expression of SQLite's FTS5; empty if nothing is searched for."""
        wanted: list[str] = []
        excluded: list[str] = []
        for minus, phrase, word in _WORDS.findall(indexable(self.text)):
            part = phrase or word
            is_beginning = bool(word) and word.endswith("*")
            # Quoted, so that nothing in it is an operator.
            literal = part.rstrip("*") if is_beginning else part
            quoted = '"' + literal.replace('"', '""') + '"'
            if not re.search(r"\w", literal):
                continue
            (excluded if minus else wanted).append(quoted + ("*" if is_beginning else ""))
        if not wanted:
            return ""
        found = " AND ".join(wanted)
        return " NOT ".join([f"({found})", *excluded]) if excluded else found


def search(
    connection: sqlite3.Connection, query: SearchQuery, page: int = 1
) -> tuple[list[Match], int]:
    """Return one page of the best matches, and the number of all matches."""
    if not query.expression:
        return [], 0
    condition, values = _condition(query)
    source = f"FROM messages JOIN dialogues ON number = messages.rowid >> {TURN_BITS} "
    (count,) = connection.execute(f"SELECT count(*) {source} WHERE {condition}", values).fetchone()
    rows = connection.execute(
        f"SELECT run_id, phase, iteration, position, messages.rowid & {(1 << TURN_BITS) - 1}, "
        f"agent, snippet(messages, 0, char(2), char(3), ' … ', {_SNIPPET_TOKENS}) "
        f"{source} WHERE {condition} ORDER BY rank, messages.rowid LIMIT ? OFFSET ?",
        [*values, PAGE_SIZE, (page - 1) * PAGE_SIZE],
    ).fetchall()
    matches = [Match(Place(*row[:4]), row[4], row[5], pieces_of(row[6])) for row in rows]
    return matches, count


def agents_of(connection: sqlite3.Connection) -> list[str]:
    """Return the names of all agents whose messages are in the index, sorted."""
    return [row[0] for row in connection.execute("SELECT name FROM agents ORDER BY name")]


def pieces_of(snippet: str) -> list[tuple[str, bool]]:
    """Split a snippet at the marks around its matches."""
    pieces, is_match = [], False
    for part in re.split(f"([{_START}{_END}])", snippet):
        if part in (_START, _END):
            is_match = part == _START
        elif part:
            pieces.append((part, is_match))
    return pieces


def _condition(query: SearchQuery) -> tuple[str, list[str]]:
    parts, values = ["messages MATCH ?"], [query.expression]
    for column in ("run_id", "agent", "phase"):
        value = query.run if column == "run_id" else getattr(query, column)
        if value:
            parts.append(f"{column} = ?")
            values.append(value)
    return " AND ".join(parts), values
