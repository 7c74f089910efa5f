"""The errors a user of ``nip`` can meet, each also a subclass of the built-in that fits.

Every message states the value, the rule it breaks and the way out. Broken invariants of our own are
``assert``s, not these.
"""

import sys
import warnings
from collections.abc import Iterable
from difflib import get_close_matches


class NipError(Exception):
    """Root of all errors that a user can mend."""


class NipWarning(UserWarning):
    """Something was asked for that will have no effect, or not the one it seems to have."""


def warn_user(message: str) -> None:
    """Issue a ``NipWarning`` that points at the line outside this package which led to it."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").split(".")[0] == "nip":
        level, frame = level + 1, frame.f_back
    warnings.warn(message, NipWarning, stacklevel=level)


class UnknownNameError(NipError, KeyError):
    """A name was looked up that nobody entered."""

    def __str__(self) -> str:
        """Give the message as it was written: ``KeyError`` would print its ``repr``."""
        return Exception.__str__(self)


class ParameterError(NipError, ValueError):
    """One or more hyper-parameters or settings cannot be used.

    Parameters
    ----------
    *problems : str
        One message per problem. With several, the text of the error is a list of them.
    """

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__(*problems)

    def __str__(self) -> str:
        """Give the only problem as it is, several as a list."""
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


class ResumeError(NipError, RuntimeError):
    """A stored run cannot be continued as asked."""


class RankError(NipError, RuntimeError):
    """Another process which trains the same experiment has failed."""


class PluginError(NipError, ImportError):
    """An outside module could not be loaded."""


class ProtocolError(NipError, ValueError):
    """A protocol contradicts itself or the parameters."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Suggest the known name that is closest to a misspelt one.

    Returns
    -------
    suggestion : str
        ``"Did you mean 'nip'?"``, or an empty string if nothing known is close.
    """
    found = closest(name, known)
    return f"Did you mean {found!r}?" if found else ""


def closest(name: str, known: Iterable[str]) -> str | None:
    """Find the known name that is closest to a misspelt one; None if nothing known is close."""
    candidates = sorted(known)
    by_lower_case = {candidate.lower(): candidate for candidate in reversed(candidates)}
    close = get_close_matches(name.lower(), list(by_lower_case), n=1)
    return by_lower_case[close[0]] if close else None


def unknown_name(kind: str, name: str, known: Iterable[str]) -> str:
    """Word the message for a name that is not among the known ones.

    Parameters
    ----------
    kind : str
        What the name should have named, for example ``"trainer"``.
    name : str
        The name as the user wrote it.
    known : Iterable[str]
        All names that would have been accepted.
    """
    names = sorted(known)
    parts = [f"There is no {kind} {name!r}."]
    if suggestion := did_you_mean(name, names):
        parts.append(suggestion)
    parts.append(f"Known: {', '.join(names)}." if names else "None is known.")
    return " ".join(parts)
