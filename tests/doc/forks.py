"""Running code of the documentation in forks of an interpreter that has imported everything once.

Whatever a fork registers, imports or changes is gone when it ends.
"""

import contextlib
import doctest
import importlib
import io
import json
import os
import pkgutil
import sys
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.command_line_process import RUN_SCRIPT
from tests.fork_server import Ending, fork_server
from tests.source_files import REPOSITORY

MAIN = "__main__"
TIMEOUT_S = 280


def run_forked(
    function: Callable[..., Any],
    *arguments: Any,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Ending:
    """Call a function in a process of its own.

    Parameters
    ----------
    function : callable
        A function of a module.
    *arguments : Any
        Its arguments, plain data.
    folder : Path
        The working folder of the process.
    environment : Mapping of str, optional
        Environment variables to set.
    timeout_s : float
        Time after which the process is killed.

    Returns
    -------
    ending : Ending
        Its exit code is 0, that of ``SystemExit``, or 1 after another exception.
    """
    name = f"{function.__module__}:{function.__qualname__}"
    variables = {**os.environ, **(environment or {})}
    return fork_server().call(
        name, *arguments, folder=folder, environment=variables, seconds=timeout_s
    )


def run_script(script: str, arguments: list[str], folder: Path) -> Ending:
    """Run a script of the repository as a program."""
    path = str(REPOSITORY / script)
    return fork_server().call(RUN_SCRIPT, path, *arguments, folder=folder, seconds=TIMEOUT_S)


def run_blocks(blocks: list[tuple[str, int, str]], path: list[str]) -> None:
    """Execute blocks of code one after the other, in one namespace.

    Parameters
    ----------
    blocks : list of tuple of str, int and str
        For each block the name of its page, the line that it begins on, and its code.
    path : list of str
        Folders from which it may import.
    """
    sys.path[:0] = path
    main = types.ModuleType(MAIN)
    sys.modules[MAIN] = main
    for name, line, code in blocks:
        # The empty lines give a traceback the line numbers of the page.
        exec(compile("\n" * (line - 1) + code, name, "exec"), main.__dict__)


def run_docstrings(module: str, blocks: list[tuple[str, int, str, str]]) -> None:
    """Run the code in the docstrings of a module, each block with the names of the module.

    Parameters
    ----------
    module : str
        Dotted name of the module.
    blocks : list of tuple of str, int, str and str
        For each block the name of its file, the line that it begins on, its language and its code.
    """
    names = vars(importlib.import_module(module))
    for source, line, language, code in blocks:
        if language == "pycon":
            test = doctest.DocTestParser().get_doctest(code, dict(names), source, source, line - 1)
            result = doctest.DocTestRunner().run(test)
            assert result.failed == 0
        else:
            exec(compile("\n" * (line - 1) + code, source, "exec"), dict(names))


def check_commands(commands: list[list[str]], configs: str) -> None:
    """Check command lines as the script does before it runs anything; print what it says."""
    from nip.command_line.application import check_arguments

    outcomes = []
    for words in commands:
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            try:
                check_arguments(words, Path(configs))
                code = 0
            except SystemExit as end:
                code = end.code or 0
        outcomes.append((code, said.getvalue()))
    print(json.dumps(outcomes))


def print_missing_names(names: list[str]) -> None:
    """Print the dotted names that are neither a module nor anything in one."""
    for name in names:
        try:
            pkgutil.resolve_name(name)
        except (ImportError, AttributeError):
            print(name)
