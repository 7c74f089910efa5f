"""Tracebacks of errors that nobody catches, without secrets and with visible control characters.

This module imports nothing that takes time, because command lines begin with it.
"""

import sys
import threading
from types import TracebackType


def show_uncaught_errors_safely() -> None:
    """Let Python print tracebacks through this module, in all threads.

    The message of an exception may quote a model, a service or a file.
    """
    sys.excepthook = _show
    threading.excepthook = _show_of_thread


def _show(kind: type[BaseException], error: BaseException, place: TracebackType | None) -> None:
    import traceback

    from nip.utils.secrets import scrub_code
    from nip.utils.unicode_text import visible

    text = "".join(traceback.format_exception(kind, error, place))
    sys.stderr.write(visible(scrub_code(text)))


def _show_of_thread(failure: threading.ExceptHookArgs) -> None:
    if failure.exc_type is SystemExit or failure.exc_value is None:
        return
    name = "unknown" if failure.thread is None else failure.thread.name
    sys.stderr.write(f"Exception in thread {name!r}:\n")
    _show(failure.exc_type, failure.exc_value, failure.exc_traceback)
