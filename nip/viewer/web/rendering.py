"""Rendering of templates, in which everything that a run contains is data."""

import math
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import urlencode

import jinja2
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from nip.utils.unicode_text import valid_unicode, visible
from nip.viewer.web.static_files import static_url

LONGEST_SHOWN = 20_000
"""Number of characters of a text that a page shows; the rest is on a page of its own."""

LONGEST_VALUE = 1_000
"""Number of characters of any other value, such as the name of a model."""

_SIGNIFICANT_DIGITS = 4


def render(template: str, **values: Any) -> str:
    r"""Render a template to valid Unicode.

    Values are escaped. Control characters in them, also those that change the direction of text,
    are written as escapes such as ``\u202e``.
    """
    return valid_unicode(_environment().get_template(template).render(values))


def page(request: Request, template: str, status_code: int = 200, **values: Any) -> HTMLResponse:
    """Render a template as the response to a request."""
    return HTMLResponse(render(template, path=request.url.path, **values), status_code)


def whole(text: str) -> Markup:
    """Return a text as it is escaped, without the limit of other values."""
    return escape(visible(text))


def number(value: object) -> str:
    """Format a number with few digits; text stays as it is, and None becomes a dash."""
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e15):
        return f"{int(value):,}".replace(",", "\u202f")
    return f"{value:.{_SIGNIFICANT_DIGITS}g}" if math.isfinite(value) else str(value)


def share(value: float | None) -> str:
    """Format a proportion as a percentage."""
    return "–" if value is None or not math.isfinite(value) else f"{100 * value:.1f}\u202f%"


def dollars(value: float | None) -> str:
    """Format an amount in dollars with as many digits as it needs."""
    if value is None:
        return "–"
    if value == 0:
        return "$0"
    return f"${value:,.2f}" if abs(value) >= 1 else f"${value:.2g}"


def when(time: float | str | None) -> str:
    """Format a time, as seconds since 1970 or in ISO form, in the local time zone."""
    if time in (None, ""):
        return "–"
    try:
        moment = (
            datetime.fromisoformat(time) if isinstance(time, str) else datetime.fromtimestamp(time)
        )
    except (ValueError, OverflowError, OSError):
        return str(time)
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


class Address(str):
    """The path and query of a page, which is never cut."""


def with_query(path: str, **changes: Any) -> Address:
    """Return a path with a query; values that are None or empty are left out."""
    pairs = [(name, each) for name, value in changes.items() for each in _listed(value)]
    return Address(f"{path}?{urlencode(pairs, errors='replace')}" if pairs else path)


def changed_query(request_query: Mapping[str, Any], **changes: Any) -> Address:
    """Return a query with some of its values changed."""
    return with_query("", **{**request_query, **changes})


def _listed(value: Any) -> list[Any]:
    if value in (None, "", False):
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def prepare_templates() -> None:
    """Compile all templates, so that no request waits for that."""
    environment = _environment()
    for name in environment.list_templates():
        environment.get_template(name)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("nip.viewer"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_readable,
    )
    environment.filters |= {
        "number": number,
        "share": share,
        "dollars": dollars,
        "when": when,
        "whole": whole,
    }
    environment.globals |= {
        "static_url": static_url,
        "with_query": with_query,
        "changed_query": changed_query,
        "LONGEST_SHOWN": LONGEST_SHOWN,
    }
    return environment


def _readable(value: Any) -> Any:
    """Make control characters visible, and cut what is too long for a value."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    is_whole = len(value) <= LONGEST_VALUE or isinstance(value, Address)
    return visible(value if is_whole else f"{value[:LONGEST_VALUE]}…")
