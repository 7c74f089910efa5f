"""Combinations of values: all of a grid, given ones, and random draws from lists and ranges."""

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nip.errors import did_you_mean, shown
from nip.seeding import stable_seed

Values = dict[str, Any]
"""Values by dotted name."""

_KEYS = ("low", "high", "log")


@dataclass(frozen=True)
class Range:
    """All numbers from ``low`` to ``high``, both included; integers if both are integers."""

    low: float
    """Smallest value."""

    high: float
    """Largest value."""

    log: bool = False
    """Whether ratios instead of differences of values are equally likely."""

    @property
    def is_integer(self) -> bool:
        """Whether only integers are meant."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def draw(self, generator: random.Random) -> float:
        """Draw a value."""
        low, high = self.low, self.high
        if self.is_integer:
            # Each integer stands for the interval that is rounded to it.
            low, high = low - 0.5, high + 0.5
        if self.log:
            value = math.exp(generator.uniform(math.log(low), math.log(high)))
        else:
            value = generator.uniform(low, high)
        value = min(max(value, self.low), self.high)
        return round(value) if self.is_integer else value


def problem_with_range(given: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a range, as the rest of a sentence; None if nothing is."""
    for key in given:
        if key not in _KEYS:
            return f"has no {shown(key)}: a range has low, high and log. {did_you_mean(key, _KEYS)}"
    for key in ("low", "high"):
        value = given.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"needs a number as {key}, got {shown(value)}. Write 1e-3 or 0.001."
        if not math.isfinite(value):
            return f"needs a finite number as {key}, got {value}."
    if not isinstance(given.get("log", False), bool):
        return f"needs true or false as log, got {shown(given['log'])}."
    if given["low"] >= given["high"]:
        return f"must have low below high, got low={given['low']} and high={given['high']}."
    if given.get("log") and given["low"] <= 0:
        return f"must have low above 0 with log=true, got {given['low']}."
    return None


def domain_of(given: Any) -> Range | list[Any]:
    """Return the range or the list that the file has for a parameter."""
    if isinstance(given, Mapping):
        return Range(given["low"], given["high"], given.get("log", False))
    return list(given)


def grid(parameters: Mapping[str, Sequence[Any]]) -> Iterator[Values]:
    """Iterate over all combinations, in the order of the lists; the last name changes fastest."""
    for values in itertools.product(*parameters.values()):
        yield dict(zip(parameters, values, strict=True))


def random_combinations(parameters: Mapping[str, Any], number: int, seed: int) -> Iterator[Values]:
    """Draw combinations; more of them begin with the same ones."""
    for trial in range(number):
        yield {
            name: _draw(domain_of(given), random.Random(stable_seed(seed, "sweep", trial, name)))
            for name, given in parameters.items()
        }


def corners(parameters: Mapping[str, Any]) -> Iterator[Values]:
    """Iterate over combinations that have each listed value, and both ends of each range, once."""
    columns = [_extremes(domain_of(given)) for given in parameters.values()]
    for number in range(max(map(len, columns), default=0)):
        values = [column[min(number, len(column) - 1)] for column in columns]
        yield dict(zip(parameters, values, strict=True))


def _extremes(domain: Range | list[Any]) -> list[Any]:
    return [domain.low, domain.high] if isinstance(domain, Range) else domain


def _draw(domain: Range | list[Any], generator: random.Random) -> Any:
    if isinstance(domain, Range):
        return domain.draw(generator)
    return domain[generator.randrange(len(domain))]
