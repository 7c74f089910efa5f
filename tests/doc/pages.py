"""Reading the pages of the documentation."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.source_files import REPOSITORY

DOC = REPOSITORY / "doc"
EXAMPLES = DOC / "examples"
GUIDES = sorted((DOC / "guides").glob("*.md"))


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
        is_ours = self.words[0] == "python" and self.words[1].endswith(".py")
        return self.words[1] if is_ours else None


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
