"""Check the types of the fields of agent specs, which may come from a plugin."""

from collections.abc import Callable, Mapping
from typing import Any, get_args

from nip.errors import shown
from nip.scenario_base.text.agent_spec import OwnPast, TextAgentSpec, TextOfDatapoint


def problem_with_types(spec: TextAgentSpec) -> str | None:
    """Return which field has a value of a wrong type, and what it must be; None if none has."""
    for name, (is_right, rule) in _RULES.items():
        if not is_right(value := getattr(spec, name)):
            return f"{name}={shown(value)}, which must be {rule}"
    return None


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _are_headers(value: Any) -> bool:
    is_mapping = isinstance(value, Mapping)
    return is_mapping and all(map(_is_text, value)) and all(map(_is_text, value.values()))


def _are_texts_of_datapoint(value: Any) -> bool:
    return isinstance(value, tuple) and all(each in get_args(TextOfDatapoint) for each in value)


_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "shown_name": (_is_text, "a string"),
    "headers": (_are_headers, "a dictionary from channels to headers"),
    "shuffles_channels": (_is_flag, "True or False"),
    "is_anonymous": (_is_flag, "True or False"),
    "last_turn_note": (_is_text, 'a string, "" for no note'),
    "own_past": (lambda value: value in get_args(OwnPast), "'raw' or 'by_channel'"),
    "stance": (lambda value: value is None or value in (0, 1), "0, 1 or None"),
    "prompt": (lambda value: value is None or _is_text(value), "a string or None"),
    "sees": (_are_texts_of_datapoint, "a tuple of 'question', 'solution' or both"),
}
