"""Read tokens and cost from the body of a response."""

from collections.abc import Mapping
from typing import Any

from nip.language_models.chat import TokenUsage
from nip.language_models.errors import LanguageModelError

_LARGEST = 2**53
"""Bound of counts: larger ones cannot be right, and do not fit into the database."""

_LARGEST_COST = 1e6
"""Bound of the dollars for one answer: a larger number cannot be right."""


def read_usage(body: Any, *, has_text: bool = True) -> TokenUsage | None:
    """Return the tokens of a response; None if they are missing or cannot be right.

    Counts must be whole numbers of at least 0. Every prompt has tokens, and so has every text, for
    which ``has_text`` stands. A missing count follows from the total, if that is given. Some
    services leave reasoning out of the completion tokens, but charge for it as such: so what a
    larger total, or a larger count of reasoning tokens, has in addition is counted.
    """
    usage = body.get("usage") if isinstance(body, Mapping) else None
    if not isinstance(usage, Mapping):
        return None
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    prompt, completion, total = (_count(usage.get(name)) for name in names)
    if prompt is None and total is not None and completion is not None:
        prompt = total - completion
    if completion is None and total is not None and prompt is not None:
        completion = total - prompt
    if prompt is None or completion is None or prompt < 1 or completion < int(has_text):
        return None
    details = usage.get("completion_tokens_details")
    reasoning = _count(details.get("reasoning_tokens")) if isinstance(details, Mapping) else None
    if reasoning is not None and reasoning > completion:
        completion += reasoning
    if total is not None:
        completion = max(completion, total - prompt)
    return TokenUsage(prompt, completion)


def read_cost(body: Any) -> float | None:
    """Return the cost in dollars that a service such as OpenRouter reports; None without one.

    With a key of the user's own (``is_byok``), ``cost`` is the fee of OpenRouter only, and the
    charge of the provider behind it is added.
    """
    usage = body.get("usage") if isinstance(body, Mapping) else None
    if not isinstance(usage, Mapping):
        return None
    cost = _dollars(usage.get("cost"))
    if cost is None or usage.get("is_byok") is not True:
        return cost
    details = usage.get("cost_details")
    upstream = details.get("upstream_inference_cost") if isinstance(details, Mapping) else None
    charged = _dollars(upstream)
    return None if charged is None else cost + charged


def with_charge(error: LanguageModelError, body: Any) -> LanguageModelError:
    """Note what an answer cost that came with status 200 but cannot be used, and return the error.

    A body that reports an error instead of an answer is charged only if it has token counts. One
    that is no JSON object was damaged on its way, like an answer on a connection that breaks.
    """
    if not isinstance(body, Mapping):
        error.is_charged = "unknown"
        return error
    error.usage = read_usage(body, has_text=False)
    error.reported_cost = read_cost(body)
    reports_error = body.get("error") and not body.get("choices")
    has_charge = error.usage is not None or error.reported_cost is not None
    error.is_charged = "yes" if has_charge or not reports_error else "no"
    return error


def _dollars(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # False for NaN.
    return float(value) if 0 <= value < _LARGEST_COST else None


def _count(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # The first comparison is false for NaN.
    if not 0 <= value < _LARGEST or value != int(value):
        return None
    return int(value)
