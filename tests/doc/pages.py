"""Reading the pages of the documentation: code blocks, command lines, headings and tables."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from nip.command_table import COMMANDS, find_command
from tests.source_files import REPOSITORY

DOC = REPOSITORY / "doc"
EXAMPLES = DOC / "examples"
GUIDES = [
    page for folder in ("guides", "coming_from") for page in sorted((DOC / folder).glob("*.md"))
]
ROOT_PAGES = [REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES = ROOT_PAGES + sorted(page for page in DOC.rglob("*.md") if "_build" not in page.parts)
LAUNCHERS = ("python", "torchrun")

# A fence, the language behind it, and the line before it, where a reason not to run may stand.
_BLOCK = re.compile(
    r"^(?:[ ]*<!-- not run: (?P<reason>.+?) -->\n)?"
    r"(?P<indent>[ ]*)```(?P<language>[^\n`]*)\n(?P<code>.*?)^(?P=indent)```$",
    re.S | re.M,
)


@dataclass(frozen=True)
class Block:
    """A code block of a page or a docstring."""

    source: str
    """The file that it stands in, relative to the repository."""

    line: int
    """Number of its first line of code."""

    language: str
    code: str
    reason_not_to_run: str | None = None


@dataclass(frozen=True)
class Command:
    """A command line that a page shows."""

    page: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"

    @property
    def nip_command(self) -> str | None:
        """The name of a command of ``nip``; None if it is another program, or ``nip --help``."""
        return find_command(self.words[1:])[0] if self.words[0] == "nip" else None

    @property
    def script(self) -> str | None:
        """The script of the repository that the command runs, None if it runs none.

        That of ``nip run`` is ``scripts/run_experiment.py``, and so on.
        """
        if self.nip_command is not None:
            return COMMANDS[self.nip_command].script
        place = self._index_of_script
        return None if place is None else self.words[place]

    @property
    def arguments(self) -> list[str]:
        """The arguments of the script."""
        if self.nip_command is not None:
            return find_command(self.words[1:])[1]
        place = self._index_of_script
        return [] if place is None else list(self.words[place + 1 :])

    @property
    def _index_of_script(self) -> int | None:
        """The place of the script: behind ``python``, or behind ``torchrun`` and its options."""
        if self.words[0] not in LAUNCHERS:
            return None
        is_script = [word.endswith(".py") and "=" not in word for word in self.words]
        return is_script.index(True) if True in is_script else None


def name_of(page: Path) -> str:
    """Return the path of a page in the repository, e.g. ``doc/guides/training.md``."""
    return page.relative_to(REPOSITORY).as_posix()


def text_of(page: Path | str) -> str:
    """Return the text of a page, given its path or its name below ``doc/``."""
    path = DOC / f"{page}.md" if isinstance(page, str) else page
    return path.read_text(encoding="utf-8")


def blocks_of(page: Path) -> list[Block]:
    """Return all fenced code blocks of a page."""
    text = text_of(page)
    return [
        Block(
            source=name_of(page),
            line=text.count("\n", 0, found.start("code")) + 1,
            language=found["language"].strip(),
            code=dedent(found["code"]),
            reason_not_to_run=found["reason"],
        )
        for found in _BLOCK.finditer(text)
    ]


def code_blocks(page: Path, language: str) -> list[str]:
    """Return the code of the blocks of a page in one language."""
    return [block.code for block in blocks_of(page) if block.language == language]


def commands_of(page: Path) -> list[Command]:
    """Return everything that a page tells the reader to type at a prompt."""
    text = "\n".join(code_blocks(page, "console")).replace("\\\n", " ")
    lines = re.findall(r"^\$ (.*)$", text, re.M)
    return [Command(page.stem, tuple(shlex.split(line))) for line in lines]


def all_commands(script: str | None = None) -> list[Command]:
    """Return the commands of README and all guides, or those that run one script."""
    pages = [REPOSITORY / "README.md", *GUIDES]
    commands = [command for page in pages for command in commands_of(page)]
    return [each for each in commands if script is None or each.script == script]


def section(page: str, heading: str) -> str:
    """Return the text below a heading of a guide, up to the next heading."""
    (found,) = re.findall(
        rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", text_of(f"guides/{page}"), re.M | re.S
    )
    return str(found)
