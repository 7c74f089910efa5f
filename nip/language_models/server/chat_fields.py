"""Check the fields of a chat completion request: which are honoured, and which are refused."""

from collections.abc import Callable, Mapping
from typing import Any

from nip.errors import did_you_mean
from nip.language_models.server.errors import ApiError, invalid

_MAX_STOPS = 4

_HONOURED = (
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "model",
    "n",
    "reasoning_effort",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "temperature",
    "top_p",
)

_Check = Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


# Fields without influence on a completion, and the values that they may have.
_WITHOUT_INFLUENCE: dict[str, tuple[_Check, str]] = {
    "metadata": (_is_object, "an object"),
    "prompt_cache_key": (_is_text, "a string"),
    "safety_identifier": (_is_text, "a string"),
    "service_tier": (lambda value: value in ("auto", "default"), "auto or default"),
    "user": (_is_text, "a string"),
}

# Fields that the mock models cannot honour, with the values that ask for nothing. Such values are
# accepted, because clients send them.
_UNSUPPORTED: dict[str, _Check] = {
    "audio": lambda _: False,
    "frequency_penalty": lambda value: value == 0 and not isinstance(value, bool),
    "function_call": lambda _: False,
    "functions": lambda _: False,
    "logit_bias": lambda value: value == {},
    "logprobs": lambda value: value is False,
    "modalities": lambda value: value == ["text"],
    "parallel_tool_calls": lambda _: False,
    "prediction": lambda _: False,
    "presence_penalty": lambda value: value == 0 and not isinstance(value, bool),
    "response_format": lambda value: value == {"type": "text"},
    "store": lambda value: value is False,
    "tool_choice": lambda value: value == "none",
    "tools": lambda _: False,
    "top_logprobs": lambda _: False,
    "verbosity": lambda value: value == "medium",
    "web_search_options": lambda _: False,
}


def check_fields(body: Mapping[str, Any]) -> None:
    """Raise ``ApiError`` for a field that is unknown, invalid, or cannot be honoured."""
    known = (*_HONOURED, *_WITHOUT_INFLUENCE, *_UNSUPPORTED)
    for name, value in body.items():
        if name not in known:
            hint = f" {did_you_mean(name, known)}".rstrip()
            raise ApiError(
                400,
                f"Unrecognized request argument supplied: {name}.{hint}",
                code="unknown_parameter",
                param=name,
            )
        if value is None:
            continue
        if name in _WITHOUT_INFLUENCE:
            is_valid, rule = _WITHOUT_INFLUENCE[name]
            if not is_valid(value):
                raise invalid(name, f"{name} must be {rule}, got {value!r}.")
        elif name in _UNSUPPORTED and not _UNSUPPORTED[name](value):
            raise ApiError(
                400,
                f"Unsupported value: the mock API does not support {name}, got {value!r}. Leave "
                "it out.",
                code="unsupported_parameter",
                param=name,
            )
    _check_stream_options(body)


def _check_stream_options(body: Mapping[str, Any]) -> None:
    options = body.get("stream_options")
    if options is None:
        return
    if not isinstance(options, dict):
        raise invalid("stream_options", f"stream_options must be an object, got {options!r}.")
    for name in options:
        if name not in ("include_usage", "include_obfuscation"):
            raise invalid("stream_options", f"stream_options has no field {name!r}.")
    if body.get("stream") is not True:
        raise invalid("stream_options", "stream_options requires stream=true.")


def read_flag(tree: Mapping[str, Any], name: str, shown: str | None = None) -> bool:
    """Return a field that is true or false; null and a missing field are false."""
    value = tree.get(name)
    if value is not None and not isinstance(value, bool):
        raise invalid(shown or name, f"{shown or name} must be true or false, got {value!r}.")
    return bool(value)


def read_number(
    body: Mapping[str, Any], name: str, kind: type[int] | type[float], least: float, most: float
) -> Any:
    """Return a number within a range; None for null and a missing field."""
    value = body.get(name)
    if value is None:
        return None
    is_number = isinstance(value, int | kind) and not isinstance(value, bool)
    if not is_number or not least <= value <= most:
        noun = "an integer" if kind is int else "a number"
        raise invalid(name, f"{name} must be {noun} from {least} to {most}, got {value!r}.")
    return kind(value)


def read_stop(value: Any) -> tuple[str, ...]:
    """Return the stop sequences: none, one, or a list of at most four."""
    texts = [value] if isinstance(value, str) else [] if value is None else value
    is_valid = isinstance(texts, list) and len(texts) <= _MAX_STOPS
    if not is_valid or not all(isinstance(each, str) and each for each in texts):
        raise invalid(
            "stop",
            f"stop must be a string, or a list of at most {_MAX_STOPS} strings, none of them "
            f"empty, got {value!r}.",
        )
    return tuple(texts)
