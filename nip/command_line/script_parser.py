"""Argument parser and helpers shared by all commands but ``nip run``."""

import argparse
import dataclasses
import math
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from nip.command_table import COMMANDS, program_name, typed
from nip.errors import NipError, ParameterError, shortened, shown
from nip.parameters.fields.value_limits import (
    problem_with_path,
    problem_with_text,
    problem_with_value,
)
from nip.utils.secrets import scrub_code
from nip.utils.stop_signals import exit_code_of_interruption, handled_signals, last_words
from nip.utils.unicode_text import visible

MAX_MESSAGE = 1000
"""Length to which a message about an argument is shortened."""

MAX_DIGITS = 4000
"""Longest integer that is parsed; Python refuses to parse more digits than 4300."""

_PARAMETER = re.compile(
    r"""(?<![\w.'"/-])(?P<prefix>settings\.)?(?P<name>[a-z_]+)(?P<rule>\ must\ be)?(?![\w'"/(])"""
)

T = TypeVar("T")


class ScriptParser(argparse.ArgumentParser):
    """An argument parser with one-line errors and an unwrapped epilog.

    Arguments keep the limits of parameters: text can be stored, paths can exist, integers fit into
    64 bits, and numbers are finite.
    """

    def __init__(self, description: str | None, epilog: str, prog: str | None = None) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.register("type", int, _integer)
        self.register("type", float, _number)
        self.register("type", Path, _path)

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse arguments, after checking that each is valid text."""
        given = sys.argv[1:] if args is None else list(args)
        for argument in given:
            if problem := problem_with_text(argument):
                self.error(f"{shown(argument)}: {problem}")
        return super().parse_known_args(given, namespace)

    def error(self, message: str) -> NoReturn:
        """Print the message and exit with code 2."""
        short = shortened(message, MAX_MESSAGE)
        text = visible(scrub_code(f"error: {short}. See {self.prog} --help."))
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


def command_parser(name: str, epilog: str) -> ScriptParser:
    """Return the parser of a command.

    Names of commands in braces, such as ``{attack}``, are replaced in the epilog by what a user
    types: ``nip attack``, or ``python scripts/attack.py``.
    """
    commands = {each: typed(each) for each in COMMANDS}
    return ScriptParser(COMMANDS[name].summary, epilog.format_map(commands), program_name(name))


def _integer(text: str) -> int:
    """Parse an integer, as ``int`` does, of at most 64 bits."""
    return _limited(int(text)) if len(text) < MAX_DIGITS else _refuse(text, "it is too long")


def _number(text: str) -> float:
    """Parse a number, as ``float`` does, that is finite."""
    number = float(text)
    return _limited(number) if math.isfinite(number) else _refuse(text, "it must be finite")


def _limited(value: T) -> T:
    problem = problem_with_value(value)
    return value if problem is None else _refuse(str(value), problem)


def _path(text: str) -> Path:
    problem = problem_with_path(text) if text else "a path cannot be empty; '.' is this folder"
    return Path(text) if problem is None else _refuse(text, problem)


def _refuse(text: str, problem: str) -> NoReturn:
    raise argparse.ArgumentTypeError(f"{shown(text)} cannot be used: {problem}")


def dataset_name(text: str) -> str:
    """Parse the name of a dataset, which must be a valid folder name on all systems."""
    if problem := problem_with_path(text):
        _refuse(text, problem)
    if not re.fullmatch(r"\w[\w.-]*", text, flags=re.ASCII):
        raise argparse.ArgumentTypeError(
            f"{shown(text)} cannot be the name of a dataset: use letters, digits, '_', '-' and "
            "'.', and begin with a letter or digit"
        )
    return text


def output_file(*endings: str) -> Callable[[str], Path]:
    """Return a parser of the path of a file to write, whose name has one of these endings."""

    def parse(text: str) -> Path:
        path = _path(text)
        if path.suffix not in endings:
            *others, last = endings
            several = f"{', '.join(others)} or {last}, which decides what is written"
            rule = several if others else last
            raise argparse.ArgumentTypeError(f"{shown(text)} should end with {rule}")
        return path

    return parse


def positive_integer(text: str) -> int:
    """Parse an integer of at least 1."""
    if not text.isdecimal() or not text.strip("0"):
        raise argparse.ArgumentTypeError(f"{shown(text)} should be a whole number of at least 1")
    return _integer(text)


def run_folder(run: str, runs_dir: Path) -> Path:
    """Return the folder of a run given by its id or its folder."""
    if problem := problem_with_path(run):
        raise ParameterError(f"{shown(run)} cannot be a run: {problem}.")
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


def exit_code_of(
    work: Callable[[], object],
    name: str,
    interrupted: str | None = None,
    parser: argparse.ArgumentParser | None = None,
) -> int:
    """Execute a command and report user errors in one message, without a traceback.

    Parameters
    ----------
    work : callable
        Does the work.
    name : str
        Name of the command.
    interrupted : str or None
        Message after a signal that asks to stop; None: that of the table of commands.
    parser : argparse.ArgumentParser or None
        Parser whose options messages name, instead of the parameters that the options set.

    Returns
    -------
    exit_code : int
        0, or 2 after a user error (``NipError`` or ``OSError``), or 130 after Ctrl-C and 75 after
        another signal that asks to stop.
    """
    message = COMMANDS[name].when_stopped if interrupted is None else interrupted
    try:
        with last_words(lambda: message), handled_signals():
            work()
    except (NipError, OSError) as error:
        text = with_names_of_options(str(error), parser) if parser is not None else str(error)
        print(visible(scrub_code(f"error: {text}")), file=sys.stderr)
        return 2
    except KeyboardInterrupt as error:
        # A terminal shows ^C at the beginning of the line.
        print("\n" * sys.stderr.isatty() + message, file=sys.stderr)
        return exit_code_of_interruption(error)
    return 0


def with_names_of_options(message: str, parser: argparse.ArgumentParser) -> str:
    """Replace the names of parameters in a message by those of the options that set them.

    Where a name is also an English word, only ``settings.prices`` and ``model must be`` are names.
    """
    options = {each.dest: each.option_strings[0] for each in parser._actions if each.option_strings}

    def replaced(found: re.Match[str]) -> str:
        name = found["name"]
        is_name = "_" in name or found["prefix"] or found["rule"]
        option = options.get(name) if is_name else None
        return found[0] if option is None else f"{option}{found['rule'] or ''}"

    return _PARAMETER.sub(replaced, message)
