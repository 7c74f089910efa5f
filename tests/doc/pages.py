"""Reading the pages of the documentation."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.source_files import REPOSITORY

DOC = REPOSITORY / "doc"
EXAMPLES = DOC / "examples"
GUIDES = [
    page for folder in ("guides", "coming_from") for page in sorted((DOC / folder).glob("*.md"))
]
LAUNCHERS = ("python", "torchrun")


@dataclass(frozen=True)
class Command:
    """A command line that a page shows."""

    page: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"

    @property
    def script(self) -> str | None:
        """The script of ours that it calls, if it calls one."""
        place = self._place_of_script
        return None if place is None else self.words[place]

    @property
    def arguments(self) -> list[str]:
        """What it gives to the script."""
        place = self._place_of_script
        return [] if place is None else list(self.words[place + 1 :])

    @property
    def _place_of_script(self) -> int | None:
        """Where the script stands: behind `python`, or behind `torchrun` and its options."""
        if self.words[0] not in LAUNCHERS:
            return None
        is_script = [word.endswith(".py") and "=" not in word for word in self.words]
        return is_script.index(True) if True in is_script else None


def code_blocks(page: Path, language: str) -> list[str]:
    """Return the code blocks of a page in one language."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.S | re.M)


def commands_of(page: Path) -> list[Command]:
    """Return everything that a page has the reader type at a prompt."""
    text = "\n".join(code_blocks(page, "console")).replace("\\\n", " ")
    lines = re.findall(r"^\$ (.*)$", text, re.M)
    return [Command(page.stem, tuple(shlex.split(line))) for line in lines]


def all_commands(script: str | None = None) -> list[Command]:
    """Return the commands of all guides, or those that call one script."""
    commands = [command for page in GUIDES for command in commands_of(page)]
    return [each for each in commands if script is None or each.script == script]
