"""Read user-defined prices from a YAML file."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import yaml

from nip.errors import ParameterError, shown
from nip.language_models.costs.prices import Price, Prices
from nip.utils.files import regular
from nip.utils.safe_yaml import load_yaml

_NAMES = tuple(field.name for field in fields(Price))
_REQUIRED = ("prompt", "completion")


def read_prices(path: str | None) -> Prices:
    """Read prices that take precedence over the public ones.

    Parameters
    ----------
    path : str | None
        A YAML file that maps model names to ``prompt``, ``completion`` and, for fine-tuning,
        ``training``, in US dollars per million tokens. None: only the public prices.

    Raises
    ------
    ParameterError
        If the file cannot be read or is invalid.
    """
    if path is None:
        return Prices()
    return Prices({name: _price(path, name, entry) for name, entry in _entries(path).items()})


def _entries(path: str) -> Mapping[str, Any]:
    try:
        tree = load_yaml(regular(path).read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = getattr(error, "strerror", None) or f"it is not YAML ({error})"
        raise ParameterError(
            f"settings.prices={path!r} cannot be read: {reason}. Give a YAML file of prices."
        ) from error
    if not isinstance(tree, Mapping) or not all(isinstance(name, str) for name in tree):
        raise ParameterError(
            f"settings.prices={path!r} must map model names to prices, got {shown(tree)}. Write "
            "for example `my-model: {prompt: 0.5, completion: 1.5}`, with quotes around a name "
            "that YAML would read as a number."
        )
    return tree


def _price(path: str, name: str, entry: Any) -> Price:
    given = entry if isinstance(entry, Mapping) else {}
    is_complete = set(_REQUIRED) <= set(given) <= set(_NAMES)
    if not is_complete or not all(_is_number(value) for value in given.values()):
        raise ParameterError(
            f"settings.prices={path!r}: the price of {name!r} must give dollars per million tokens "
            f"for {' and '.join(_REQUIRED)}, and optionally for training, got {shown(entry)}. "
            "Write for example `{prompt: 0.5, completion: 1.5}`."
        )
    return Price(**{key: float(value) for key, value in given.items()})


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9
