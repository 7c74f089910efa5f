"""Argument parser and helpers shared by the scripts."""

import argparse
import dataclasses
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from nip.errors import NipError
from nip.utils.secrets import scrub_code
from nip.utils.stop_signals import exit_code_of_interruption, handled_signals, last_words
from nip.utils.unicode_text import visible


class ScriptParser(argparse.ArgumentParser):
    """An argument parser with one-line errors and an unwrapped epilog."""

    def __init__(self, description: str | None, epilog: str) -> None:
        super().__init__(
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Print the message and exit with code 2."""
        text = visible(scrub_code(f"error: {message}. See {self.prog} --help."))
        self.exit(2, f"{text}\n")

    def add_dataset_arguments(self) -> None:
        """Add where a dataset is written: its folder, and whether to replace it."""
        self.add_argument(
            "--data-dir",
            type=Path,
            default=Path("data"),
            metavar="DIR",
            help="output folder (data)",
        )
        self.add_argument("--overwrite", action="store_true", help="replace an existing dataset")

    def add_run_arguments(self) -> None:
        """Add where the runs and their datasets are, and the plugins that they need."""
        self.add_argument(
            "--runs-dir",
            type=Path,
            default=Path("runs"),
            metavar="DIR",
            help="folder of runs (runs)",
        )
        self.add_argument(
            "--data-dir", metavar="DIR", help="folder of datasets (the one that the run used)"
        )
        self.add_argument(
            "--plugins", nargs="+", default=[], metavar="P", help="plugin modules to import"
        )


def dataset_name(text: str) -> str:
    """Parse the name of a dataset, which must be a valid folder name on all systems."""
    if not re.fullmatch(r"\w[\w.-]*", text, flags=re.ASCII):
        raise argparse.ArgumentTypeError(
            f"{text!r} cannot be the name of a dataset: use letters, digits, '_', '-' and '.', "
            "and begin with a letter or digit"
        )
    return text


def positive_integer(text: str) -> int:
    """Parse an integer of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} should be a whole number of at least 1")
    return int(text)


def run_folder(run: str, runs_dir: Path) -> Path:
    """Return the folder of a run given by its id or its folder."""
    # A run id has no path separator.
    return runs_dir / run if Path(run).name == run else Path(run)


def import_plugins(options: argparse.Namespace) -> None:
    """Import installed plugins and those given with ``--plugins``."""
    from nip.plugins import load_installed_plugins, load_plugins

    load_installed_plugins()
    load_plugins(options.plugins)


def given_fields(parameters: type, options: argparse.Namespace) -> dict[str, Any]:
    """Return the options that are fields of a dataclass, except those not given.

    The dataclass remains the only place that defines the defaults. Lists become tuples.
    """
    names = [field.name for field in dataclasses.fields(parameters)]
    values = {name: getattr(options, name, None) for name in names}
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values.items()
        if value is not None
    }


def exit_code_of(work: Callable[[], object], interrupted: str) -> int:
    """Run a script and report user errors in one message, without a traceback.

    The exit code is 0, or 2 after a user error (``NipError`` or ``OSError``), or 130 after Ctrl-C
    and 75 after another signal that asks to stop; both with the message ``interrupted``.
    """
    try:
        with last_words(lambda: interrupted), handled_signals():
            work()
    except (NipError, OSError) as error:
        print(visible(scrub_code(f"error: {error}")), file=sys.stderr)
        return 2
    except KeyboardInterrupt as error:
        print(interrupted, file=sys.stderr)
        return exit_code_of_interruption(error)
    return 0
