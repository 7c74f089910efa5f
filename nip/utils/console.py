"""The console of everything that is shown with ``rich``.

What models, services, datasets and folders contribute is shown as it is: markup in it has no
effect, and control characters are written as escapes. Writing never fails.
"""

import sys
from collections.abc import Iterable
from typing import Any, TextIO, cast

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.text import Text

from nip.utils.lasting_output import lasting
from nip.utils.unicode_text import visible


def open_console(file: TextIO | None = None, **options: Any) -> Console:
    """Return a console on a file, by default standard output; ``options`` are those of rich."""
    return SafeConsole(cast(TextIO, lasting(file or sys.stdout)), **options)


class SafeConsole(Console):
    """A console that shows control characters and markup instead of obeying them."""

    def __init__(self, file: TextIO, **options: Any) -> None:
        super().__init__(file=file, markup=False, emoji=False, highlight=False, **options)
        self.push_render_hook(_ShowControls())

    def render_str(self, text: str, **options: Any) -> Text:
        """Convert a string; before the layout, so that columns have the width of the escapes."""
        return super().render_str(visible(text), **options)


class _ShowControls(RenderHook):
    """Makes control characters visible wherever they are; those of the console itself stay."""

    def process_renderables(
        self, renderables: Iterable[ConsoleRenderable]
    ) -> list[ConsoleRenderable]:
        return [_Visible(each) for each in renderables]


class _Visible:
    def __init__(self, renderable: ConsoleRenderable) -> None:
        self._renderable = renderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(visible(segment.text), segment.style)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement.get(console, options, self._renderable)
