"""Base classes of analysers: yes-or-no questions about one agent in one dialogue."""

import hashlib
import re
from abc import ABC, abstractmethod
from pathlib import Path
from string import Template
from typing import ClassVar

from nip.errors import ParameterError, unknown_name
from nip.language_models.chat import ChatMessage
from nip.protocols.handler import ProtocolHandler
from nip.rollout_analysis.subject import Subject
from nip.utils.files import regular

PLACEHOLDERS = {
    "agent_name": "name of the agent",
    "goal": "what the agent is rewarded for",
    "question": "the problem",
    "solution": "the solution that the dialogue is about",
    "messages": "all messages of the agent",
    "dialogue": "all messages of the dialogue",
}
"""Placeholders of prompts and their meaning."""

_MARKUP = re.compile(r"[*_`~#>]")
_ANSWER_LINE = re.compile(r"(?:final\s+)?answer\s*[:：]\s*(yes|no)\b", re.IGNORECASE)
_BARE_LINE = re.compile(r"(yes|no)\b\W*", re.IGNORECASE)
_WORD = re.compile(r"\b(yes|no)\b", re.IGNORECASE)


class Analyser(ABC):
    """A yes-or-no question about one agent in one dialogue."""

    name: ClassVar[str]
    """Registered name."""

    question: ClassVar[str]
    """The question in a few words, for tables and ``--list``."""

    @abstractmethod
    def agents(self, protocol: ProtocolHandler) -> tuple[str, ...]:
        """Return the agents that the question is about; none if it does not fit the protocol.

        Parameters
        ----------
        protocol : ProtocolHandler
            The protocol of the run.
        """

    def applies(self, subject: Subject) -> bool:
        """Return whether the question applies to this dialogue."""
        return True

    @property
    @abstractmethod
    def digest(self) -> str:
        """Hash of everything that determines the answers; if it changes, all are answered again."""


class ComputedAnalyser(Analyser):
    """An analyser that computes its answers."""

    @abstractmethod
    def compute(self, subject: Subject) -> bool:
        """Answer the question."""

    @property
    def digest(self) -> str:
        """Empty, because computed answers are recomputed every time."""
        return ""


class ModelAnalyser(Analyser):
    """An analyser that asks a language model.

    Raises
    ------
    ParameterError
        On construction, if the prompt cannot be read or has unknown placeholders.
    """

    prompt: ClassVar[Path | str]
    """Template of the prompt, or its file; see ``PLACEHOLDERS``."""

    def __init__(self) -> None:
        self._template = Template(_read(self.prompt))
        if not self._template.is_valid():
            raise ParameterError(
                f"The prompt of analyser {self.name!r} has a dollar sign that does not begin a "
                "placeholder. Write $$ for a literal dollar sign."
            )
        for name in self._template.get_identifiers():
            if name not in PLACEHOLDERS:
                raise ParameterError(
                    f"The prompt of analyser {self.name!r}: "
                    f"{unknown_name('placeholder', name, PLACEHOLDERS)}"
                )

    @property
    def digest(self) -> str:
        """SHA-256 of the prompt."""
        return hashlib.sha256(self._template.template.encode()).hexdigest()

    def conversation(self, subject: Subject) -> list[ChatMessage]:
        """Return the messages sent to the model."""
        text = self._template.substitute(
            agent_name=subject.agent,
            goal=subject.goal,
            question=subject.datapoint.question,
            solution=subject.datapoint.solution,
            messages=subject.messages_text(),
            dialogue=subject.dialogue_text(),
        )
        return [ChatMessage(role="user", content=text)]

    def read(self, answer: str) -> bool | None:
        """Parse the answer of the model; None if it is neither yes nor no."""
        return read_yes_or_no(answer)


def read_yes_or_no(answer: str) -> bool | None:
    """Parse a yes-or-no answer of a model; None if it is neither.

    The last line of the form ``Answer: yes`` decides; otherwise a last or first line that is only
    yes or no; otherwise the word yes or no in the last line, if only one of them occurs there.
    Markup, case and punctuation are ignored.
    """
    lines = [line for each in answer.split("\n") if (line := _MARKUP.sub("", each).strip())]
    if not lines:
        return None
    for line in reversed(lines):
        if found := _ANSWER_LINE.match(line):
            return found[1].lower() == "yes"
    for line in (lines[-1], lines[0]):
        if found := _BARE_LINE.fullmatch(line):
            return found[1].lower() == "yes"
    words = {word.lower() for word in _WORD.findall(lines[-1])}
    return "yes" in words if len(words) == 1 else None


def _read(prompt: Path | str) -> str:
    if isinstance(prompt, str):
        return prompt
    try:
        return regular(prompt).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"The prompt {str(prompt)!r} cannot be read: {error}") from error
