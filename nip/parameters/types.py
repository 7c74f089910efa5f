"""Names of the built-in choices, and types shared by several parameters.

The literals are for editors and type checkers. Other registered names can be chosen as well; a
test compares the literals with the registries.
"""

import os
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BeforeValidator

from nip.parameters.fields.value_limits import PathMarker, PeriodMarker, SeedMarker

ScenarioType = Literal[
    "code_validation",
    "graph_isomorphism",
    "image_classification",
    "matrix_games",
    "quotes",
    "toy",
]
"""Built-in scenarios."""

TrainerType = Literal[
    "pure_text_ei",
    "pure_text_grpo",
    "pure_text_malt",
    "reinforce",
    "solo_agent",
    "spg",
    "vanilla_ppo",
]
"""Built-in trainers."""

InteractionProtocolType = Literal[
    "adp",
    "debate",
    "merlin_arthur",
    "mnip",
    "multi_channel_test",
    "nip",
    "solo_verifier",
]
"""Built-in interaction protocols."""

ActivationType = Literal["relu", "tanh", "sigmoid"]
"""Activation functions of multi-layer perceptrons."""

CriticLossType = Literal["l1", "l2", "smooth_l1"]
"""Distances between predicted and estimated values."""

DataType = str
"""What scenarios consist of and trainers learn from: ``tensordict`` (tensors), ``text`` (dialogues
of language models), or another name for a kind of data of a custom scenario and its trainers."""

Count = Annotated[int, Ge(1)]
"""An integer of at least 1."""

Period = Annotated[int, Ge(1), PeriodMarker()]
"""A number of iterations after which something happens, again and again."""

CountOrZero = Annotated[int, Ge(0)]
"""An integer of at least 0."""

Positive = Annotated[float, Gt(0)]
"""A finite number above 0."""

Seed = Annotated[int, Ge(0), SeedMarker()]
"""A random seed: an integer of at least 0, also of more than 64 bits."""

NonNegative = Annotated[float, Ge(0)]
"""A finite number of at least 0."""

UnitInterval = Annotated[float, Ge(0), Le(1)]
"""A number in [0, 1]."""

OpenUnitInterval = Annotated[float, Gt(0), Lt(1)]
"""A number in (0, 1)."""

Probability = Annotated[float, Ge(0), Lt(1)]
"""A number in [0, 1)."""

NumThreads = Annotated[int, Ge(1), Le(4096)]
"""A number of threads."""

Seconds = Annotated[float, Gt(0), Le(1e9)]
"""A duration in seconds, at most about thirty years: clocks cannot wait for centuries."""

Minutes = Annotated[float, Gt(0), Le(1e7)]
"""A duration in minutes, at most about twenty years."""

Hours = Annotated[float, Gt(0), Le(1e5)]
"""A duration in hours, at most about eleven years."""


def _as_text(path: Any) -> Any:
    return os.fspath(path) if isinstance(path, os.PathLike) else path


PathText = Annotated[str, BeforeValidator(_as_text), PathMarker()]
"""A path as text or ``pathlib.Path``; relative to the working folder."""

NameOrPath = Annotated[str, PathMarker()]
"""A name, or the path of a file or folder that stands for it."""

ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]
"""Efforts of reasoning models; other values that a service has can be given in ``extra_body``."""

TokenLimitName = Literal[
    "max_tokens", "max_completion_tokens", "max_new_tokens", "max_output_tokens"
]
"""Names of the request field with the token limit."""

# Validation and tests resolve annotations without recursive types, so the depth is limited.
_Scalar = str | int | float | bool | None
_Shallow = _Scalar | list[_Scalar] | dict[str, _Scalar]
_Deeper = _Shallow | list[_Shallow] | dict[str, _Shallow]
JsonObject = dict[str, _Deeper | list[_Deeper] | dict[str, _Deeper]]
"""Values that JSON has, by name, nested up to four levels."""
