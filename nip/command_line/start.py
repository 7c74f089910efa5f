"""What every command line does first, before the imports that take time."""

from nip.utils.garbage_collection import search_rarely
from nip.utils.lasting_output import protect_output
from nip.utils.stop_signals import exit_on_signals
from nip.utils.uncaught_errors import show_uncaught_errors_safely


def begin_command_line(when_stopped: str) -> None:
    """Let signals end this process with a message, and protect its output and its terminal.

    The interpreter searches for unused objects less often from then on.

    Call it before other imports, which take long enough for a Ctrl-C.

    Parameters
    ----------
    when_stopped : str
        Message if a signal arrives before the work has begun.
    """
    exit_on_signals(when_stopped)
    protect_output()
    show_uncaught_errors_safely()
    search_rarely()
