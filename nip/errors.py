"""Errors and warnings for users of ``nip``, each also a subclass of a matching built-in error.

A message states the value, the rule it breaks and a remedy. Internal invariants are checked with
``assert`` instead.
"""

import sys
import warnings
from collections.abc import Iterable
from difflib import get_close_matches

_MAX_LISTED = 40
"""Number of known names up to which a message lists all of them."""

_NUM_NEAREST = 10
"""Number of names that a message lists otherwise."""


class NipError(Exception):
    """Base class of all errors that a user can correct."""


class NipWarning(UserWarning):
    """An option has no effect, or not the expected one."""


def warn_user(message: str) -> None:
    """Issue a ``NipWarning`` attributed to the calling line outside this package."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").split(".")[0] == "nip":
        level, frame = level + 1, frame.f_back
    warnings.warn(message, NipWarning, stacklevel=level)


class UnknownNameError(NipError, KeyError):
    """A name is not registered or not known."""

    def __str__(self) -> str:
        """Return the message itself; ``KeyError`` would return its ``repr``."""
        return Exception.__str__(self)


class ParameterError(NipError, ValueError):
    """One or more hyper-parameters or settings are invalid.

    Parameters
    ----------
    *problems : str
        One message per problem. With several, the text of the error is a list of them.
    """

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__(*problems)

    def __str__(self) -> str:
        """Return a single problem unchanged, several as a list."""
        if len(self.problems) == 1:
            return self.problems[0]
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        return f"{len(self.problems)} problems with the parameters:\n{lines}"


class DatasetError(NipError, FileNotFoundError):
    """A dataset is missing or unreadable."""


class CheckpointError(NipError, FileNotFoundError):
    """A checkpoint, or a folder of saved weights, is missing or unreadable."""


class DivergenceError(NipError, ArithmeticError):
    """A loss became infinite or not a number."""


class CollapseError(NipError, RuntimeError):
    """An alarm whose action is ``raise`` was given: training has collapsed."""


class ResumeError(NipError, RuntimeError):
    """A stored run cannot be continued as asked."""


class StorageError(NipError, OSError):
    """A file cannot be written, because of a full disk, an I/O error, or what lies in its place."""


class LockedFileError(StorageError):
    """A file cannot be used, because another program has locked it."""


class RankError(NipError, RuntimeError):
    """Another rank of a distributed training has failed."""


class PluginError(NipError, ImportError):
    """A plugin module could not be imported."""


class ProtocolError(NipError, ValueError):
    """A protocol is inconsistent in itself or with the parameters."""


def shown(value: object, limit: int = 200) -> str:
    """Return the ``repr`` of a value for a message, shortened in the middle if it is long."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # An integer of thousands of digits; a deep list.
        kind = "integer" if isinstance(value, int) else type(value).__name__
        return f"a very {'long' if isinstance(value, int) else 'deep'} {kind}"
    return shortened(text, limit)


def shortened(text: str, limit: int) -> str:
    """Return a text without its middle if it is longer than a limit."""
    half = limit // 2
    return text if len(text) <= limit else f"{text[:half]}...{text[-half:]}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``"Did you mean 'nip'?"`` for a misspelt name; an empty string if none is close."""
    found = closest(name, known)
    return f"Did you mean {found!r}?" if found else ""


def closest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name closest to a misspelt one; None if no known name is close."""
    return next(iter(_nearest(name, known, 1)), None)


def _nearest(name: str, known: Iterable[str], number: int, cutoff: float = 0.6) -> list[str]:
    """Return the known names closest to a misspelt one, the closest first."""
    by_lower_case = {candidate.lower(): candidate for candidate in sorted(known, reverse=True)}
    close = get_close_matches(name.lower(), list(by_lower_case), number, cutoff)
    return [by_lower_case[each] for each in close]


def unknown_name(kind: str, name: str, known: Iterable[str]) -> str:
    """Format the error message for an unknown name of a kind such as ``"trainer"``."""
    names = sorted(known)
    parts = [f"There is no {kind} {shown(name)}."]
    if suggestion := did_you_mean(name, names):
        parts.append(suggestion)
    listed = names if len(names) <= _MAX_LISTED else _nearest(name, names, _NUM_NEAREST, cutoff=0.0)
    # A name with a comma would read as two.
    text = ", ".join(map(repr, listed) if any("," in each for each in names) else listed)
    if len(listed) < len(names):
        parts.append(f"The most similar of {len(names)}: {text}.")
    else:
        parts.append(f"Known: {text}." if names else "None is known.")
    return " ".join(parts)
