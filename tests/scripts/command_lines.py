"""Running the main function of a script in this process."""

from collections.abc import Callable, Sequence

import pytest

Main = Callable[[list[str]], int]


def error_of(main: Main, arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command line that must fail with exit code 2 and a one-line message; return it."""
    try:
        code = main([*arguments])
    except SystemExit as end:
        code = end.code
    assert code == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert message.count("\n") == 1
    return message
