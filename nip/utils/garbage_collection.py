"""Searching for reference cycles less often."""

import atexit
import gc

THRESHOLDS = (50_000, 20, 100)
"""New objects before the youngest are searched, and searches of each generation before those of the
next one, see :func:`gc.set_threshold`."""


def search_rarely() -> None:
    """Let this process search its objects for unused cycles less often, and not at its end.

    Imports make hundreds of thousands of objects that stay. Searching them again and again, and
    once more at the end, takes a fifth of the processor time until training begins.
    """
    gc.set_threshold(*THRESHOLDS)
    atexit.register(gc.freeze)
