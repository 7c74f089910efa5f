"""What a programming problem consists of."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

Topic = Literal[
    "strings", "numbers", "lists", "dynamic_programming", "graphs", "parsing", "simulation"
]
"""What a problem is about."""

TOPICS: tuple[Topic, ...] = get_args(Topic)
"""All topics."""

LARGEST_SIZE = 20
"""Inputs are asked for in sizes from 0, the smallest, to this one."""

ALLOWED_IMPORTS = (
    "bisect",
    "collections",
    "functools",
    "heapq",
    "itertools",
    "math",
    "operator",
    "re",
    "string",
)
"""Modules of the standard library that a program may import."""

Arguments = tuple[Any, ...]
"""Arguments of one call of a program: values that JSON knows, lists rather than tuples."""


@dataclass(frozen=True)
class Problem:
    """A question, programs that answer it, and inputs to test programs with.

    Programs are source texts that define ``solve``. They are pure, deterministic (also where sets
    and dictionaries are gone through), import nothing but ``ALLOWED_IMPORTS``, and have no comments
    and docstrings, which the programs made of them could not keep. A call takes at most a few
    milliseconds for inputs of the largest size. It may change its arguments, which are fresh copies
    each time, and returns None, truth values, integers, strings, or lists and dictionaries (with
    strings as keys) of these.
    """

    name: str
    """Unique, in snake_case."""

    topic: Topic
    """What the problem is about; the name of its module begins with it."""

    question: str
    """The whole task: the call ``solve(...)``, types and limits of its arguments, an example."""

    solutions: tuple[str, ...]
    """Two or more correct programs in different styles, of 5 to 40 lines each."""

    make_input: Callable[[random.Random, int], Arguments]
    """Draws arguments within the limits that the question states: (generator, size) -> arguments.

    The size goes from 0 to `LARGEST_SIZE`. Inputs should meet the special cases of the problem
    often, since only they reveal many mistakes.
    """

    edge_cases: tuple[Arguments, ...] = ()
    """Arguments that every program is tested with."""

    def __post_init__(self) -> None:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", self.name), self.name
        assert self.topic in TOPICS, self.topic
        assert "solve(" in self.question, self.name
        assert len(self.solutions) >= 2, self.name
        assert all("def solve(" in solution for solution in self.solutions), self.name
