"""Detection and removal of keys and passwords in text that is shown or stored."""

import os
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any
from urllib.parse import quote, quote_plus

from nip.utils.secret_formats import FORMATS, KEY_NAME

_KEY_LIKE = re.compile(
    r"\b(?:sk|rk|pk|hf|gsk|xai)[-_][A-Za-z0-9*_.-]{6,}|(?i:bearer\s+)[^\s'\",;}]+"
)
_KEY_VARIABLE = re.compile(r"KEY|TOKEN|SECRET|PASSW|_PAT$", re.IGNORECASE)
_LOCATION_VARIABLE = re.compile(r"_(?:FILE|PATH|DIR|DIRECTORY|HOME|CACHE)$", re.IGNORECASE)
"""Names of variables that say where keys are, such as HF_TOKEN_PATH; their values are none."""
_SHORTEST_KEY = 8
_SURELY_A_KEY = 16
"""Length from which the value of a variable is no ordinary word."""
_SCRUBBED = "[key removed]"


def scrub(text: str, *key_variables: str | None) -> str:
    """Remove everything that is, or looks like, a key from a message.

    The values of all environment variables with KEY, TOKEN, SECRET, PASSW or _PAT in their name are
    removed, unless they say where a key is (``HF_TOKEN_PATH``), and those of ``key_variables``.
    """
    return _KEY_LIKE.sub(_SCRUBBED, _without_formats(_without_values(text, key_variables)))


def scrub_code(text: str) -> str:
    """Remove unambiguous keys from program code; names such as ``sk_test`` are kept."""
    return _without_formats(_without_values(text, ()))


def scrub_tree(data: Any, *key_variables: str | None) -> Any:
    """Remove unambiguous keys, and the values of ``key_variables``, from all texts in data."""
    if isinstance(data, str):
        return _without_formats(_without_values(data, key_variables))
    if isinstance(data, Mapping):
        return {key: scrub_tree(value, *key_variables) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [scrub_tree(value, *key_variables) for value in data]
    return data


def scrub_command_line(arguments: Sequence[str]) -> list[str]:
    """Remove unambiguous keys from a command line, and what follows options such as ``--token``."""
    before = ["", *arguments][: len(arguments)]
    return [
        _SCRUBBED if _takes_key(option) and not each.startswith("-") else scrub_code(each)
        for option, each in zip(before, arguments, strict=True)
    ]


def _takes_key(option: str) -> bool:
    is_named_like_one = KEY_NAME.fullmatch(option) or option.lower().endswith("token")
    return option.startswith("-") and bool(is_named_like_one)


def find_secret(data: Any) -> str | None:
    """Return which kind of secret a value seems to contain; None if it seems to contain none.

    ``data`` is text, or plain data, of which every text is searched. Text under a name such as
    ``api_key`` counts as a secret, and so does the value of an environment variable that holds one.
    """
    if isinstance(data, str):
        if any(value in data for value in _values_of_keys() if len(value) >= _SURELY_A_KEY):
            return "the value of an environment variable"
        return next((name for name, found in FORMATS.items() if found.search(data)), None)
    if isinstance(data, Mapping):
        for key, value in data.items():
            if isinstance(value, str) and value and KEY_NAME.fullmatch(str(key)):
                return str(key)
        data = list(data.values())
    if isinstance(data, list | tuple):
        return next(filter(None, map(find_secret, data)), None)
    return None


def _without_formats(text: str) -> str:
    for found in FORMATS.values():
        text = found.sub(_SCRUBBED, text)
    return text


def _without_values(text: str, key_variables: tuple[str | None, ...]) -> str:
    values = {
        form
        for value in _values_of_keys(*key_variables)
        # As they are, and as they are in addresses.
        for form in (value, quote(value, safe=""), quote_plus(value))
    }
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, _SCRUBBED)
    return text


def _values_of_keys(*key_variables: str | None) -> set[str]:
    """Return the values of environment variables that hold keys, except very short ones."""
    named = {name for name in key_variables if name}
    values = {
        # A key read from a file may end with a newline, which is not sent with it.
        value.strip()
        for name, value in os.environ.items()
        if name in named or _holds_a_key(name)
    }
    return {value for value in values if len(value) >= _SHORTEST_KEY}


@cache
def _holds_a_key(variable: str) -> bool:
    return bool(_KEY_VARIABLE.search(variable)) and not _LOCATION_VARIABLE.search(variable)
