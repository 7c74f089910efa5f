"""The program ``nip``: find the command, and call its module."""

import importlib
import os
import sys
from collections.abc import Sequence

from nip.command_line.start import begin_command_line
from nip.command_table import COMMANDS, commands_of_group, find_command

HELP_WORDS = ("-h", "--help", "help")
EXIT_USER_ERROR = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Execute a command line in a process of its own.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words after ``nip``. Default: those that this process was started with.

    Returns
    -------
    exit_code : int
        That of the command; 2 if there is no such command.
    """
    words = sys.argv[1:] if arguments is None else arguments
    name, _ = find_command(words)
    begin_command_line("Stopped." if name is None else COMMANDS[name].when_stopped)
    if "_ARGCOMPLETE" in os.environ:
        from nip.commands.completion import complete

        complete()
    return execute(words)


def run_script(name: str) -> int:
    """Execute the command of a script, with the arguments of this process."""
    return main([*name.split(), *sys.argv[1:]])


def execute(words: Sequence[str]) -> int:
    """Execute a command line; only the module of its command is imported.

    Returns
    -------
    exit_code : int
        That of the command; 2 if there is no such command.
    """
    name, arguments = find_command(words)
    if name is not None:
        code: int | None = importlib.import_module(COMMANDS[name].module).main(arguments)
        return code or 0
    first, *others = words or HELP_WORDS
    if first in HELP_WORDS:
        print(overview(list(COMMANDS)))
        return 0
    if first == "--version":
        from importlib.metadata import version

        print(f"nip {version('nip')}")
        return 0
    group = commands_of_group(first)
    if group and others[:1] and others[0] in HELP_WORDS:
        print(overview(group))
        return 0
    return _refuse(words, group)


def overview(names: Sequence[str]) -> str:
    """List commands, each with what it does."""
    width = max(map(len, names))
    return "\n".join(
        [
            "usage: nip COMMAND [ARGUMENT ...]",
            "",
            "Experiments with interactive protocols between learning agents.",
            "",
            "commands:",
            *(f"  {name:<{width}}  {COMMANDS[name].summary}" for name in names),
            "",
            "nip COMMAND --help describes a command. Runs are stored in the folder runs of the",
            "current folder, datasets in data. Named experiments of your own are found in",
            "configs/experiment there.",
            "",
            "examples:",
            "  nip run experiment=toy run_id=first",
            "  nip run --help",
            '  eval "$(nip completion bash)"',
        ]
    )


def _refuse(words: Sequence[str], group: Sequence[str]) -> int:
    """Print why there is no such command."""
    from nip.errors import unknown_name
    from nip.utils.secrets import scrub_code
    from nip.utils.unicode_text import visible

    known = group or COMMANDS
    message = unknown_name("command", " ".join(words[: 2 if group else 1]), known)
    print(visible(scrub_code(f"error: {message} See nip --help.")), file=sys.stderr)
    return EXIT_USER_ERROR
