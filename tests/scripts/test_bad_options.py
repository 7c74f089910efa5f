"""Whatever is given for an option of a command is accepted, or refused with one message."""

import argparse
import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from nip.command_table import COMMANDS
from nip.scenarios.code_validation.generation import dataset_builder
from nip.scenarios.code_validation.generation.dataset_builder import choose_isolation
from tests.command_line.bad_values import VALUES

PROGRAMS = [name for name in COMMANDS if name != "run"]
NAME = "mine"
"""What each command needs beside the option under test: a dataset, or a run that does not exist."""


def options_of(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the options and positional arguments that take a value."""
    yield from (action for action in parser._actions if action.nargs != 0)


def words(action: argparse.Action, value: str) -> list[str]:
    """Return a command line that gives one value for one argument."""
    if not action.option_strings:
        return [value]
    count = action.nargs if isinstance(action.nargs, int) else 1
    name = action.option_strings[0]
    if action.nargs is None:
        return [NAME, f"{name}={value}"]
    return [NAME, name, *[value] * count]


@pytest.mark.grid
@pytest.mark.parametrize("program", PROGRAMS)
def test_any_value_of_any_option_is_accepted_or_refused_with_one_message(
    program: str,
    working_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    module = importlib.import_module(COMMANDS[program].module)
    for name in ("generate", "write_dataset", "report", "listen"):
        # What is checked before, must be checked without generating anything.
        monkeypatch.setattr(module, name, _stop, raising=False)
    # The same question starts the same sandbox.
    monkeypatch.setattr(dataset_builder, "choose_isolation", cache(choose_isolation))
    for action in options_of(module.build_parser()):
        for value in VALUES:
            line = words(action, value.strip("'"))
            try:
                code = module.main(line)
            except _StoppedError:
                code = 0
            except SystemExit as leaving:
                code = leaving.code
            said = capsys.readouterr().err
            assert code in (0, 2), line
            assert code == 0 or said.startswith(("error: ", "usage: ")), (line, said)
            assert "Traceback" not in said, line


class _StoppedError(Exception):
    """The command has checked its options."""


def _stop(*_: object, **__: object) -> None:
    raise _StoppedError
