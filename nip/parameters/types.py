"""Names of the built-in choices, and ranges that several parameters share.

The literals serve editors and documentation. A registered name that is not among them is just as
good; a test keeps them equal to what is registered.
"""

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

ScenarioType = Literal["code_validation", "graph_isomorphism", "toy"]
"""Built-in tasks."""

TrainerType = Literal["pure_text_ei", "reinforce", "solo_agent", "vanilla_ppo"]
"""Built-in training algorithms."""

InteractionProtocolType = Literal[
    "adp",
    "debate",
    "merlin_arthur",
    "mnip",
    "multi_channel_test",
    "nip",
    "solo_verifier",
]
"""Built-in rules of who speaks when, who hears it, and who is paid."""

ActivationType = Literal["relu", "tanh", "sigmoid"]
"""Activation functions of multi-layer perceptrons."""

CriticLossType = Literal["l1", "l2", "smooth_l1"]
"""Distances between predicted and estimated values."""

DataType = Literal["tensordict", "text"]
"""What scenarios are made of and trainers learn from: tensors, or texts behind an API."""

Count = Annotated[int, Ge(1)]
"""A number of things of which there must be one."""

CountOrZero = Annotated[int, Ge(0)]
"""A number of things that may be missing."""

Positive = Annotated[float, Gt(0)]
"""A number above 0."""

NonNegative = Annotated[float, Ge(0)]
"""A number that may be 0."""

UnitInterval = Annotated[float, Ge(0), Le(1)]
"""A number in [0, 1]."""

OpenUnitInterval = Annotated[float, Gt(0), Lt(1)]
"""A number in (0, 1)."""

Probability = Annotated[float, Ge(0), Lt(1)]
"""A number in [0, 1)."""
