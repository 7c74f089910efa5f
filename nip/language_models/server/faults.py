"""Faults that the mock API can inject, and the plan that selects requests for them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

from nip.errors import ParameterError, UnknownNameError, unknown_name
from nip.language_models.server.tables import FAULTS, MATCHES, CounterTable
from nip.registry import Registry
from nip.seeding import stable_seed

RequestKind = Literal["chat", "upload", "create_job", "read"]

EVERYWHERE: tuple[RequestKind, ...] = ("chat", "upload", "create_job", "read")


@dataclass(frozen=True)
class Fault:
    """A kind of failure that can be injected."""

    name: str
    """Registered name."""

    kinds: tuple[RequestKind, ...]
    """Kinds of requests that can get the fault."""

    is_of_the_request: bool = False
    """Whether a retry of the same request gets the fault again."""

    has_answer: bool = False
    """Whether the client still receives a completion, so that it counts as generated."""


fault_registry: Registry[Fault] = Registry("fault")


def _register(*faults: Fault) -> None:
    for fault in faults:
        fault_registry.register(fault.name, fault)


_register(
    *(
        Fault(name, EVERYWHERE)
        for name in (
            "authentication",
            "cut_connection",
            "malformed_json",
            "overload",
            "quota",
            "rate_limit",
            "rate_limit_ms",
            "server_error",
            "timeout",
        )
    ),
    Fault("slow", EVERYWHERE, has_answer=True),
    Fault("empty_choices", ("chat",)),
    Fault("unknown_model", ("chat",)),
    # Content filters and models treat the same conversation in the same way each time.
    Fault("content_filter", ("chat",), is_of_the_request=True),
    Fault("invalid_answer", ("chat",), is_of_the_request=True, has_answer=True),
    Fault("truncated", ("chat",), is_of_the_request=True, has_answer=True),
    Fault("upload_lost", ("upload",)),
    *(
        Fault(name, ("create_job",))
        for name in (
            "create_lost",
            "create_refused",
            "job_cancelled",
            "job_failed",
            "job_paused",
            "job_slow",
        )
    ),
)


@dataclass(frozen=True)
class FaultRule:
    """A fault together with the requests that get it."""

    fault: Fault
    """The fault."""

    rate: float
    """Share of the matching requests that get the fault."""

    first: int | None = None
    """Only the first so many matching requests; None: all."""

    model: str | None = None
    """Only requests for this model; None: any model."""

    request: RequestKind | None = None
    """Only requests of this kind; None: all kinds that the fault applies to."""

    @classmethod
    def from_text(cls, text: str, default_rate: float) -> "FaultRule":
        """Parse a name with selectors, such as ``rate_limit?rate=0.5&model=m&request=chat``.

        Raise ``UnknownNameError`` for an unknown fault or selector, ``ParameterError`` for a value.
        """
        name, _, query = text.partition("?")
        fault = fault_registry.get(name)
        values: dict[str, Any] = {"rate": default_rate}
        for selector, value in parse_qsl(query, keep_blank_values=True):
            if selector not in _SELECTORS:
                raise UnknownNameError(
                    f"{text!r}: {unknown_name('selector of faults', selector, _SELECTORS)}"
                )
            values[selector] = _read_selector(text, selector, value)
        rule = cls(fault, **values)
        if rule.request is not None and rule.request not in fault.kinds:
            raise ParameterError(
                f"{text!r}: the fault {name!r} applies only to requests of the kinds "
                f"{', '.join(fault.kinds)}, got request={rule.request!r}."
            )
        return rule

    def to_text(self) -> str:
        """Return the text from which ``from_text`` parses this rule."""
        values = {name: getattr(self, name) for name in _SELECTORS}
        query = urlencode({name: value for name, value in values.items() if value is not None})
        return f"{self.fault.name}?{query}"

    def matches(self, kind: RequestKind, model: str | None) -> bool:
        """Tell whether the rule applies to a request."""
        kinds = self.fault.kinds if self.request is None else (self.request,)
        return kind in kinds and self.model in (None, model)


class FaultPlan:
    """Chooses the fault of each request: that of the first rule whose draw succeeds.

    The choice depends only on the seed, on the content of the request, and on the number of equal
    requests before it, so it does not depend on the order in which different requests arrive.
    """

    def __init__(self, rules: Iterable[FaultRule], seed: int) -> None:
        self.rules = tuple(rules)
        self._seed = seed

    def choose(
        self,
        kind: RequestKind,
        digest: bytes,
        num_before: int,
        model: str | None,
        counters: CounterTable,
    ) -> Fault | None:
        """Return the fault of a request with ``num_before`` equal ones before it, and count it."""
        for rule in self.rules:
            if not rule.matches(kind, model):
                continue
            if rule.first is not None and counters.increment(MATCHES, rule.to_text()) >= rule.first:
                continue
            fault = rule.fault
            attempt = 0 if fault.is_of_the_request else num_before
            draw = stable_seed(self._seed, "fault", fault.name, digest.hex(), attempt)
            if draw < rule.rate * 2**63:
                counters.increment(FAULTS, fault.name)
                return fault
        return None


def read_fault_plan(texts: Iterable[str], default_rate: float, seed: int) -> FaultPlan:
    """Build a plan from the texts of its rules. Raises the errors of ``FaultRule.from_text``."""
    return FaultPlan([FaultRule.from_text(text, default_rate) for text in texts], seed)


_SELECTORS = ("rate", "first", "model", "request")


def _read_selector(text: str, selector: str, value: str) -> float | int | str:
    try:
        if selector == "rate" and 0 <= float(value) <= 1:
            return float(value)
        if selector == "first" and int(value) >= 1:
            return int(value)
    except ValueError:
        pass
    if (selector == "model" and value) or (selector == "request" and value in EVERYWHERE):
        return value
    rules = {
        "rate": "a number between 0 and 1",
        "first": "an integer of at least 1",
        "model": "the name of a model",
        "request": f"one of {', '.join(EVERYWHERE)}",
    }
    raise ParameterError(f"{text!r}: {selector} must be {rules[selector]}, got {value!r}.")
