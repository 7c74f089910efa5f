"""Validation of the rows of a dataset, and conversion to datapoints."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nip.errors import DatasetError
from nip.scenario_base.text.datapoint import TextDatapoint, TextDataset, prover_stance_of

NEEDED = ("question", "solution", "y")
"""Columns that every row must have."""

CLUSTER_COLUMNS = ("cluster", "problem")
"""Columns that name the unit by which the data is split; the first that is not empty counts."""


@dataclass(frozen=True)
class Row:
    """A row of a dataset: a question, a program, and whether it is correct."""

    question: str
    """What the program has to do."""

    solution: str
    """The program."""

    y: int
    """1 if it is correct, 0 if it is buggy."""

    extra: Mapping[str, Any]
    """All other columns."""


def check_row(content: Any, place: str) -> Row:
    """Validate a row; ``place`` is its file and line for error messages.

    Raises
    ------
    DatasetError
        If a column is missing or has an invalid value.
    """
    if not isinstance(content, Mapping):
        raise DatasetError(
            f"{place}: a row must be an object with the columns {', '.join(NEEDED)}, got "
            f"{_short(content)}."
        )
    missing = [name for name in NEEDED if name not in content]
    if missing:
        raise DatasetError(
            f"{place}: the column {missing[0]!r} is missing. Every row needs "
            f"{', '.join(NEEDED)}; this one has {', '.join(map(str, content)) or 'none'}."
        )
    for name in ("question", "solution"):
        if not isinstance(content[name], str) or not content[name].strip():
            raise DatasetError(
                f"{place}: {name} must be a non-empty string, got {_short(content[name])}."
            )
    if content["y"] not in (0, 1) or isinstance(content["y"], float):
        raise DatasetError(
            f"{place}: y must be 1 (the solution is correct) or 0 (it is buggy), got "
            f"{_short(content['y'])}."
        )
    extra = {str(name): value for name, value in content.items() if name not in NEEDED}
    _check_optional(extra, place)
    return Row(content["question"], content["solution"], int(content["y"]), extra)


def _check_optional(extra: Mapping[str, Any], place: str) -> None:
    difficulty, tests = extra.get("difficulty"), extra.get("tests")
    if not isinstance(difficulty, str | None):
        raise DatasetError(f"{place}: difficulty must be a string, got {_short(difficulty)}.")
    if not isinstance(tests, list | dict | str | None):
        raise DatasetError(
            f"{place}: tests must be a list, an object or a string, got {_short(tests)}."
        )
    for name in CLUSTER_COLUMNS:
        if not isinstance(extra.get(name), str | int | float | None):
            raise DatasetError(
                f"{place}: {name} must be a string or a number, which is the same in all rows "
                f"about one problem, got {_short(extra[name])}."
            )


def _cluster(extra: Mapping[str, Any]) -> str | None:
    """Return the stated unit of the split; None if a row states none."""
    stated = (extra.get(name) for name in CLUSTER_COLUMNS)
    # Tables mark a missing number by NaN, which differs from itself.
    return next((str(each) for each in stated if each not in (None, "") and each == each), None)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def make_dataset(rows: Iterable[Row], place: str) -> TextDataset:
    """Convert rows to datapoints, whose ids depend only on question and solution.

    Raises
    ------
    DatasetError
        If there are no rows, or the same program occurs as correct and as buggy.
    """
    labels: dict[str, int] = {}
    num_seen: Counter[str] = Counter()
    datapoints = []
    for row in rows:
        name = _content_id(row)
        if labels.setdefault(name, row.y) != row.y:
            raise DatasetError(
                f"{place}: the same solution to the same question occurs as correct (y=1) and as "
                f"buggy (y=0): {_short(row.solution)}. Remove one of the two rows."
            )
        num_seen[name] += 1
        suffix = f"-{num_seen[name]}" if num_seen[name] > 1 else ""
        stance = prover_stance_of(row.solution)
        datapoints.append(
            TextDatapoint(
                name + suffix,
                row.question,
                row.solution,
                row.y,
                stance,
                row.extra,
                cluster=_cluster(row.extra),
            )
        )
    if not datapoints:
        raise DatasetError(f"{place} has no rows. A split needs at least one.")
    return TextDataset(datapoints)


def _content_id(row: Row) -> str:
    digest = hashlib.sha256()
    for text in (row.question, row.solution):
        content = text.encode("utf-8", "surrogatepass")
        digest.update(f"{len(content)}:".encode() + content)
    return f"cv-{digest.hexdigest()[:16]}"
