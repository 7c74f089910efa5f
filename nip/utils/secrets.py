"""Keeping keys out of everything that is shown or stored."""

import os
import re

_KEY_LIKE = re.compile(
    r"\b(?:sk|rk|pk|hf|gsk|xai)[-_][A-Za-z0-9*_.-]{6,}|(?i:bearer\s+)[^\s'\",;}]+"
)
_SURE_KEY = re.compile(r"\b(?:sk-|gsk_|hf_|xai-)(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{24,}")
_KEY_VARIABLE = re.compile(r"KEY|TOKEN|SECRET|PASSWORD", re.IGNORECASE)
_SHORTEST_KEY = 8
_SCRUBBED = "[key removed]"


def scrub(text: str, *key_variables: str | None) -> str:
    """Take everything out of a text that is, or looks like, a key.

    Parameters
    ----------
    text : str
        What is to be shown or stored.
    *key_variables : str | None
        Environment variables that hold a key under a name that does not say so. The values of all
        variables whose name holds KEY, TOKEN, SECRET or PASSWORD are removed anyway.
    """
    return _KEY_LIKE.sub(_SCRUBBED, _without_values(text, key_variables))


def scrub_code(text: str) -> str:
    """Take out of program code what is a key beyond doubt; names such as ``sk_test`` stay."""
    return _SURE_KEY.sub(_SCRUBBED, _without_values(text, ()))


def _without_values(text: str, key_variables: tuple[str | None, ...]) -> str:
    named = {name for name in key_variables if name}
    values = {
        # Keys are sent without the line end that a file may have brought along.
        value.strip()
        for name, value in os.environ.items()
        if name in named or _KEY_VARIABLE.search(name)
    }
    for value in sorted(values, key=len, reverse=True):
        if len(value) >= _SHORTEST_KEY:
            text = text.replace(value, _SCRUBBED)
    return text
