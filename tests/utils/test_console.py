"""What models and services wrote is shown and not obeyed."""

import io

import pytest
from rich.console import Console
from rich.panel import Panel
from rich.progress import Progress
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from nip.utils.console import open_console
from nip.utils.progress import ProgressBar

HOSTILE = "\x1b[2J\x1b]0;owned\x07[red]x[/red] \x9b31m\u202eab\u2066\rc:smile:\x7f"
SHOWN = r"\x1b[2J\x1b]0;owned\x07[red]x[/red] \x9b31m\u202eab\u2066\x0dc:smile:\x7f"


def table(text: str) -> Table:
    made = Table(text, title=text)
    made.add_row(text)
    return made


@pytest.mark.parametrize(
    "renderable",
    [
        HOSTILE,
        Text(HOSTILE),
        Panel(Text(HOSTILE), title=Text(HOSTILE)),
        Panel(HOSTILE, title=HOSTILE),
        Syntax(HOSTILE, "python"),
        table(HOSTILE),
    ],
    ids=["string", "text", "panel", "panel of a string", "code", "table"],
)
def test_nothing_that_was_written_is_obeyed(renderable: object) -> None:
    output = io.StringIO()
    open_console(output, width=300).print(renderable)
    written = output.getvalue()
    # Rich itself drops bells and carriage returns of what is no plain string.
    assert r"\x1b[2J\x1b]0;owned" in written and "[red]x[/red] \\x9b31m" in written
    assert isinstance(renderable, Text | Panel | Syntax) or SHOWN in written
    assert not set(written) & set("\x1b\x07\x9b\r\x7f\u202e\u2066")


def test_styles_and_movements_of_the_console_itself_stay() -> None:
    output = io.StringIO()
    console = open_console(output, force_terminal=True, width=80, color_system="standard")
    console.print(Text("red\x1b[0m", style="red"))
    assert output.getvalue() == "\x1b[31mred\\x1b[0m\x1b[0m\n"
    with Progress(console=console) as progress:
        progress.advance(progress.add_task("work", total=1))
    assert "\x1b[2K" in output.getvalue()


def test_columns_have_the_width_of_what_is_shown() -> None:
    output = io.StringIO()
    open_console(output, width=80).print(table("\x1b[2J"))
    lines = [line for line in output.getvalue().splitlines() if line.startswith(("┏", "│", "└"))]
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize("is_terminal", [False, True])
def test_a_progress_bar_shows_what_it_is_given(is_terminal: bool) -> None:
    output = io.StringIO()
    console = Console(file=output, force_terminal=is_terminal, width=300, color_system=None)
    with ProgressBar(HOSTILE, 1, console=console) as bar:
        bar.set_metrics({HOSTILE: 1.0})
        bar.set_description(HOSTILE)
        bar.advance()
    assert SHOWN in output.getvalue()
    assert "owned\x07" not in output.getvalue()


def test_a_reader_that_has_gone_ends_nothing() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    with (
        pytest.warns(match="cannot be written"),
        ProgressBar("work", 1, console=open_console(Gone())) as bar,
    ):
        bar.advance()
