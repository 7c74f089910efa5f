"""Completion of commands, options and parameters in a shell, by ``argcomplete``."""

import argparse
import importlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import argcomplete
from argcomplete.lexers import split_line

from nip.command_line.script_parser import command_parser
from nip.command_table import COMMANDS, commands_of_group, find_command

EPILOG = """\
Add the line to the start-up file of the shell to keep it.

examples:
  eval "$(nip completion bash)"           # in ~/.bashrc; in ~/.zshrc with zsh instead of bash
  nip completion fish > ~/.config/fish/completions/nip.fish
"""


def build_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = command_parser("completion", EPILOG)
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="name of the shell")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the code for a shell.

    Returns
    -------
    exit_code : int
        0; arguments that are not understood end the process with 2.
    """
    options = build_parser().parse_args(arguments)
    print(argcomplete.shellcode(["nip"], shell=options.shell))
    return 0


def complete() -> None:
    """Print what may follow on the command line that a shell completes, and exit.

    The parser of one command is built at most.
    """
    line, point = os.environ["COMP_LINE"], int(os.environ["COMP_POINT"])
    words = split_line(line, point)[3][1:]
    name, arguments = find_command(words)
    if name is not None:
        parser = importlib.import_module(COMMANDS[name].module).build_parser()
        num_words = len(words) - len(arguments)
    else:
        group = commands_of_group(words[0]) if words else []
        parser, num_words = _parser_of_names(group), 1 if group else 0
    _add_completers(parser)
    # The place of the word that stands for the program, from 1.
    os.environ["_ARGCOMPLETE"] = str(1 + num_words)
    argcomplete.autocomplete(parser, always_complete_options=False)


def _parser_of_names(group: Sequence[str]) -> argparse.ArgumentParser:
    """Return a parser of the second word of a group of commands; without one, of the first word."""
    parser = argparse.ArgumentParser()
    names = [name.split()[1] for name in group] or [name.split()[0] for name in COMMANDS]
    parser.add_argument("command", choices=list(dict.fromkeys(names)))
    if not group:
        parser.add_argument("--version", action="store_true")
    return parser


def _add_completers(parser: argparse.ArgumentParser) -> None:
    """Let runs be completed by the folders of runs, and overrides by the parameters."""
    for action in parser._actions:
        if action.metavar == "RUN":
            action.completer = _complete_run  # type: ignore[attr-defined]
        elif action.dest == "overrides":
            action.completer = _complete_parameter  # type: ignore[attr-defined]


def _complete_run(parsed_args: argparse.Namespace, **_: object) -> Iterable[str]:
    runs_dir = Path(getattr(parsed_args, "runs_dir", "runs"))
    return [path.parent.name for path in sorted(runs_dir.glob("*/hyper_params.yaml"))]


def _complete_parameter(prefix: str, parsed_args: argparse.Namespace, **_: object) -> Iterable[str]:
    from nip.command_line.application import config_folders
    from nip.command_line.config_folders import builtin_configs
    from nip.command_line.override_completion import complete_override

    folders = config_folders(builtin_configs(), parsed_args)
    return complete_override(prefix, parsed_args.overrides or (), folders)
