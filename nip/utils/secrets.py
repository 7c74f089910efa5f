"""Removal of API keys from text that is shown or stored."""

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
    """Remove everything that is, or looks like, a key.

    The values of all environment variables with KEY, TOKEN, SECRET or PASSWORD in their name are
    removed, and those of ``key_variables``.
    """
    return _KEY_LIKE.sub(_SCRUBBED, _without_values(text, key_variables))


def scrub_code(text: str) -> str:
    """Remove unambiguous keys from program code; names such as ``sk_test`` are kept."""
    return _SURE_KEY.sub(_SCRUBBED, _without_values(text, ()))


def _without_values(text: str, key_variables: tuple[str | None, ...]) -> str:
    named = {name for name in key_variables if name}
    values = {
        # A key read from a file may end with a newline, which is not sent with it.
        value.strip()
        for name, value in os.environ.items()
        if name in named or _KEY_VARIABLE.search(name)
    }
    for value in sorted(values, key=len, reverse=True):
        if len(value) >= _SHORTEST_KEY:
            text = text.replace(value, _SCRUBBED)
    return text
