"""Run an experiment, composed from YAML files and ``NAME=VALUE`` overrides."""

import argparse
from collections.abc import Sequence

from nip.command_line import application
from nip.command_line.config_folders import builtin_configs
from nip.command_line.errors import show_warnings_plainly
from nip.command_line.flags import flag_parser


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the flags, in which all parameters are one positional argument."""
    return flag_parser()


def main(arguments: Sequence[str]) -> None:
    """Execute a command line, given without the name of the program.

    Raises
    ------
    SystemExit
        With a message, and exit code 2 after a user's error, 130 after Ctrl-C, and 75 after another
        signal that asks to stop.
    """
    show_warnings_plainly()
    application.main(arguments, builtin_configs())
