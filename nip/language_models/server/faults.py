"""Faults that the endpoint can be asked to show, and who meets them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

from nip.errors import ParameterError, UnknownNameError, unknown_name
from nip.language_models.server.counters import FAULTS, MATCHES, CounterTable
from nip.registry import Registry
from nip.seeding import stable_seed

RequestKind = Literal["chat", "upload", "create_job", "read"]

EVERYWHERE: tuple[RequestKind, ...] = ("chat", "upload", "create_job", "read")


@dataclass(frozen=True)
class Fault:
    """Something that can go wrong."""

    name: str
    """How users ask for it."""

    kinds: tuple[RequestKind, ...]
    """Requests that can meet it."""

    is_of_the_request: bool = False
    """Whether it sticks to what is asked, so that asking the same again meets it again."""

    has_answer: bool = False
    """Whether a model's answer reaches the client all the same, so that it counts as generated."""


fault_registry: Registry[Fault] = Registry("fault")


def _enter(*faults: Fault) -> None:
    for fault in faults:
        fault_registry.register(fault.name, fault)


_enter(
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
    # Filters and models do the same to the same conversation each time.
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
    """Which requests meet a fault."""

    fault: Fault
    """What they meet."""

    rate: float
    """Share of them that does."""

    first: int | None = None
    """Only so many requests that the fault can strike, from the first on; None: all."""

    model: str | None = None
    """Only requests for this model; None: any."""

    request: RequestKind | None = None
    """Only requests of this kind; None: all that the fault can strike."""

    @classmethod
    def from_text(cls, text: str, default_rate: float) -> "FaultRule":
        """Read a name with selectors, such as ``rate_limit?rate=0.5&model=m&request=chat``.

        Raises
        ------
        UnknownNameError
            If there is no such fault or selector.
        ParameterError
            If the value of a selector cannot be used.
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
                f"{text!r}: only requests of the kinds {', '.join(fault.kinds)} can meet the "
                f"fault {name!r}, got request={rule.request!r}."
            )
        return rule

    def to_text(self) -> str:
        """Return what ``from_text`` reads."""
        values = {name: getattr(self, name) for name in _SELECTORS}
        query = urlencode({name: value for name, value in values.items() if value is not None})
        return f"{self.fault.name}?{query}"

    def matches(self, kind: RequestKind, model: str | None) -> bool:
        """Tell whether a request is one that the rule is about."""
        kinds = self.fault.kinds if self.request is None else (self.request,)
        return kind in kinds and self.model in (None, model)


class FaultPlan:
    """Decides which fault a request meets.

    The decision is a function of the seed, of what is asked, and of how often the same was asked
    before: it does not depend on the order of different requests.

    Parameters
    ----------
    rules : Iterable[FaultRule]
        Tried in this order; the first that strikes wins.
    seed : int
        Another seed strikes other requests.
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
        """Say which fault a request meets, if any, and count it.

        Parameters
        ----------
        kind : RequestKind
            What kind of request it is.
        digest : bytes
            Of what is asked.
        num_before : int
            How often the same was asked before.
        model : str | None
            The model it is about, if it is about one.
        counters : CounterTable
            Where faults are counted.
        """
        for rule in self.rules:
            if not rule.matches(kind, model):
                continue
            if rule.first is not None and counters.tally(MATCHES, rule.to_text()) >= rule.first:
                continue
            fault = rule.fault
            attempt = 0 if fault.is_of_the_request else num_before
            draw = stable_seed(self._seed, "fault", fault.name, digest.hex(), attempt)
            if draw < rule.rate * 2**63:
                counters.tally(FAULTS, fault.name)
                return fault
        return None


def read_fault_plan(texts: Iterable[str], default_rate: float, seed: int) -> FaultPlan:
    """Build a plan from the texts of its rules; see ``FaultRule.from_text`` for errors."""
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
        "rate": "a number within 0 and 1",
        "first": "a whole number from 1 up",
        "model": "the name of a model",
        "request": f"one of {', '.join(EVERYWHERE)}",
    }
    raise ParameterError(f"{text!r}: {selector} must be {rules[selector]}, got {value!r}.")
