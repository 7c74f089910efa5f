"""Runs programs of a dataset without the sandbox, to check its results."""

import json
import sys
from typing import Any

MOST_EVENTS = 20_000


class _TooLongError(BaseException):
    pass


def run_by_itself(program: str, arguments: str) -> tuple[str, Any]:
    """Run a trusted program in this process, with a limit on executed lines."""
    num_events = 0

    def count(*_: Any) -> Any:
        nonlocal num_events
        num_events += 1
        if num_events > MOST_EVENTS:
            raise _TooLongError
        return count

    names: dict[str, Any] = {}
    exec(compile(program, "program", "exec"), names)
    before = sys.gettrace()
    sys.settrace(count)
    try:
        value = names["solve"](*json.loads(arguments))
    except _TooLongError:
        return "timeout", None
    except Exception as error:
        return "exception", type(error).__name__
    finally:
        sys.settrace(before)
    try:
        return "value", json.loads(json.dumps(value))
    except TypeError:
        return "strange", None
