"""Flags of the main command line: Hydra's, and ``--help``."""

import argparse
from collections.abc import Sequence
from typing import NoReturn

from nip.errors import ParameterError, shown
from nip.parameters.fields.value_limits import problem_with_text

_INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")


class _FlagParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Refuse arguments that cannot be parsed."""
        raise ParameterError(
            f"{message}. Parameters are given without dashes, as in seed=1; --help lists the flags."
        )


def parse_flags(arguments: Sequence[str]) -> argparse.Namespace:
    """Separate flags from ``overrides``, which are everything else, in any order.

    Raises
    ------
    ParameterError
        If an argument is not valid text, or a flag is unknown, lacks its value, or excludes
        another one.
    """
    for argument in arguments:
        if problem := problem_with_text(argument):
            raise ParameterError(f"Cannot read {shown(argument)}: {problem}.")
    return flag_parser().parse_intermixed_args(list(arguments))


def flag_parser() -> _FlagParser:
    """Accept the flags that ``--hydra-help`` lists, except those that read pickled files."""
    parser = _FlagParser(add_help=False, allow_abbrev=False)
    parser.add_argument("overrides", nargs="*")
    for name in ("--help", "--hydra-help", "--version", "--resolve"):
        parser.add_argument(*([name, "-h"] if name == "--help" else [name]), action="store_true")
    for name, short in (
        ("--package", "-p"),
        ("--config-path", "-cp"),
        ("--config-name", "-cn"),
        ("--config-dir", "-cd"),
    ):
        parser.add_argument(name, short)
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument("--cfg", "-c", choices=("job", "hydra", "all"))
    modes.add_argument("--info", "-i", choices=_INFO, nargs="?", const="all")
    for name, short in (("--run", "-r"), ("--multirun", "-m"), ("--shell-completion", "-sc")):
        modes.add_argument(name, short, action="store_true")
    return parser
