"""Asking git about the code once for all runs of a process: each would get the same answer."""

from functools import cache
from typing import Any
from unittest.mock import patch

from nip.run_store import environment


def code_described_once() -> Any:
    """Return a context in which the starts of runs have one description of the code."""
    name = f"{environment.__name__}.describe_code"
    return patch(name, cache(environment.describe_code))
