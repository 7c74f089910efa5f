"""Parameters of rehearsals, in which an endpoint inside the process stands in for the API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nip.parameters.parameters_base import SubParameters, register_parameter_class
from nip.parameters.types import CountOrZero, NonNegative, UnitInterval
from nip.parameters.unused_option_rule import UnusedOptionRule


@register_parameter_class
@dataclass
class RehearsalParameters(SubParameters):
    """The endpoint that agents with ``use_dummy_api=True`` speak to."""

    brain: str = "dialogue"
    """Which mock model answers: ``dialogue`` (rules and memorising), ``echo``, or your own."""

    brain_file: str | None = None
    """Rules of the brain; None: those that come with the scenario."""

    latency_s: NonNegative = 0.0
    """Seconds that each answer takes."""

    job_polls: CountOrZero = 2
    """How often a fine-tuning job must be asked for until it is done."""

    faults: tuple[str, ...] = ()
    """Faults that the endpoint shows, for example ``[rate_limit, server_error]``."""

    fault_rate: UnitInterval = 0.2
    """Share of the requests that meet each of these faults."""

    unused_rules: ClassVar = (
        UnusedOptionRule(
            ("brain", "brain_file", "latency_s", "job_polls", "faults", "fault_rate"),
            "unless an agent has use_dummy_api=True",
            lambda _, hyper_params: (
                not any(
                    getattr(agent, "use_dummy_api", False) for agent in hyper_params.agents.values()
                )
            ),
        ),
        UnusedOptionRule(
            ("fault_rate",),
            "unless rehearsal.faults names any",
            lambda rehearsal, _: not rehearsal.faults,
        ),
    )
