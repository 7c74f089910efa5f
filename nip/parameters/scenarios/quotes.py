"""Parameters of the scenario ``quotes``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from nip.parameters.parameters_base import register_parameter_class
from nip.parameters.scenarios.dialogues import DialogueParameters
from nip.parameters.types import Count

NUM_PEOPLE = 20
"""People that facts can be about."""


@register_parameter_class
@dataclass
class QuotesParameters(DialogueParameters):
    """Generated passages, and the verification of quotations."""

    num_facts: Annotated[int, Ge(1), Le(NUM_PEOPLE)] = 6
    """Number of facts in a passage."""

    num_train: Count = 2000
    """Number of training passages."""

    num_test: Count = 500
    """Number of test passages."""

    verify_quotes: bool = True
    """Mark each quotation of a prover as verified or not verified."""
