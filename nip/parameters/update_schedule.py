"""Update schedules: in which iterations an agent learns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from nip.errors import ParameterError, shown, unknown_name
from nip.parameters.fields.dotted_names import join
from nip.parameters.parameters_base import (
    SubParameters,
    parameter_classes,
    register_parameter_class,
)
from nip.parameters.types import Count, CountOrZero

MAX_TRIED = 10_000
"""Number of iterations that are tried in search of one in which an agent learns."""


class UpdateSchedule(SubParameters, ABC):
    """Base class of update schedules, which say in which iterations an agent learns.

    Stored as ``{"_type": <class>, <class>: {<its fields>}}``. The fields of other schedules may
    stand beside those of the chosen one and are not used: on the command line all of them are
    listed.
    """

    @abstractmethod
    def is_active(self, iteration: int) -> bool:
        """Return whether the agent learns in an iteration, given by its index, from 0."""

    def is_ever_active(self, num_iterations: int) -> bool:
        """Return whether the agent may learn in an iteration of a run.

        Iterations beyond ``MAX_TRIED`` are not tried.
        """
        tried = range(min(num_iterations, MAX_TRIED))
        return num_iterations > MAX_TRIED or any(map(self.is_active, tried))

    @classmethod
    def build(cls, value: Any, path: str, ignore_unknown: bool = False) -> Self:
        """Build a schedule from an instance, its stored form, or None for every iteration."""
        if value is None and cls is UpdateSchedule:
            value = {"_type": ConstantUpdateSchedule.__name__}
        if isinstance(value, Mapping) and value.get("_type") is None and cls is UpdateSchedule:
            raise ParameterError(
                f'{path} must be an update schedule, or a mapping {{"_type": <class>, <class>: '
                f"{{<its fields>}}}} with one of the classes {', '.join(schedule_classes())}, got "
                f"{shown(value)}."
            )
        return super().build(value, path, ignore_unknown)

    def to_dict(self) -> dict[str, Any]:
        """Convert the schedule to plain data, with its fields below its class name."""
        name = type(self).__name__
        fields = super().to_dict()
        del fields["_type"]
        return {"_type": name, name: fields}

    @classmethod
    def take_mapping(
        cls, data: Mapping[str, Any], path: str, problems: list[str], ignore_unknown: bool
    ) -> dict[str, Any]:
        """Check the fields, which stand below the class name in a stored schedule."""
        if "_type" not in data:
            return super().take_mapping(data, path, problems, ignore_unknown)
        known = schedule_classes()
        for name in data:
            if name != "_type" and name not in known and not ignore_unknown:
                problems.append(f"In {path}: {unknown_name('update schedule', str(name), known)}")
        fields = data.get(cls.__name__) or {}
        if not isinstance(fields, Mapping):
            problems.append(f"{join(path, cls.__name__)} must be a mapping, got {shown(fields)}.")
            return {}
        # The command line lists fields that have no default as None.
        given = {name: value for name, value in fields.items() if value is not None}
        return super().take_mapping(given, path, problems, ignore_unknown)


def schedule_classes() -> dict[str, type[UpdateSchedule]]:
    """Return all registered update schedules by class name."""
    return {name: cls for name, cls in parameter_classes.items() if issubclass(cls, UpdateSchedule)}


@register_parameter_class
@dataclass
class ConstantUpdateSchedule(UpdateSchedule):
    """The agent learns in every iteration."""

    def is_active(self, iteration: int) -> bool:
        """Return True for every iteration."""
        return True


@register_parameter_class
@dataclass
class DelayedUpdateSchedule(UpdateSchedule):
    """The agent learns from some iteration on, and is frozen before."""

    start: CountOrZero
    """Number of iterations at the beginning of the run in which the agent does not learn."""

    def is_active(self, iteration: int) -> bool:
        """Return whether the iteration is one after the first ``start`` ones."""
        return iteration >= self.start


@register_parameter_class
@dataclass
class ContiguousPeriodicUpdateSchedule(UpdateSchedule):
    """The agent learns in one part of each period: where start ≤ iteration mod period < stop."""

    period: Count
    """Number of iterations after which the pattern repeats."""

    start: CountOrZero
    """Number of iterations at the beginning of each period in which the agent does not learn."""

    stop: Count
    """Number of iterations from the beginning of each period after which it no longer learns."""

    def is_active(self, iteration: int) -> bool:
        """Return whether the iteration lies between ``start`` and ``stop``."""
        return self.start <= iteration % self.period < self.stop

    def find_problems(self, at: Callable[[str], str]) -> Iterator[str]:
        """Require 0 ≤ start < stop ≤ period."""
        if self.start >= self.stop:
            yield (
                f"{at('start')} must be below {at('stop')} ({self.stop}), got {self.start}. "
                f"Lower the one or raise the other."
            )
        if self.stop > self.period:
            yield (
                f"{at('stop')} must be at most {at('period')} ({self.period}), got {self.stop}. "
                f"Lower it, or make the period longer."
            )


@register_parameter_class
@dataclass
class AlternatingPeriodicUpdateSchedule(UpdateSchedule):
    """Two agents take turns: the first learns at the start of each period, the second after it."""

    period: Count
    """Number of iterations after which the pattern repeats."""

    first_agent_num_rounds: Count
    """Number of iterations at the start of each period that belong to the first agent."""

    first_agent: bool = True
    """Whether this agent is the first of the two."""

    def is_active(self, iteration: int) -> bool:
        """Return whether it is this agent's turn."""
        is_turn_of_first = iteration % self.period < self.first_agent_num_rounds
        return is_turn_of_first == self.first_agent

    def find_problems(self, at: Callable[[str], str]) -> Iterator[str]:
        """Require at least one iteration for the second agent."""
        if self.first_agent_num_rounds >= self.period:
            yield (
                f"{at('first_agent_num_rounds')} must be below {at('period')} ({self.period}), got "
                f"{self.first_agent_num_rounds}, which leaves no iteration to the second agent. "
                f"Lower it, or make the period longer."
            )
