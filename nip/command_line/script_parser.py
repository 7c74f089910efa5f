"""What the small command lines of ``scripts/`` have in common."""

import argparse
import re
import sys
from collections.abc import Callable
from typing import NoReturn

from nip.errors import NipError


class ScriptParser(argparse.ArgumentParser):
    """A parser whose errors are one line, and whose epilog keeps its lines.

    Parameters
    ----------
    description : str | None
        What the script is for.
    epilog : str
        Further help, with examples.
    """

    def __init__(self, description: str | None, epilog: str) -> None:
        super().__init__(
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Print the message and leave."""
        self.exit(2, f"error: {message}. See {self.prog} --help.\n")


def dataset_name(text: str) -> str:
    """Accept what is a plain folder name on every system."""
    if not re.fullmatch(r"\w[\w.-]*", text, flags=re.ASCII):
        raise argparse.ArgumentTypeError(
            f"{text!r} cannot be the name of a dataset: use letters, digits, '_', '-' and '.', "
            "and begin with a letter or digit"
        )
    return text


def exit_code_of(work: Callable[[], object], interrupted: str) -> int:
    """Do the work of a script; tell a user's mistake in one message, without a traceback.

    Parameters
    ----------
    work : Callable[[], object]
        Raises ``NipError`` or ``OSError`` after a mistake.
    interrupted : str
        What to say after Ctrl-C.

    Returns
    -------
    exit_code : int
        0, or 2 after a mistake, or 130 after Ctrl-C.
    """
    try:
        work()
    except (NipError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return 130
    return 0
