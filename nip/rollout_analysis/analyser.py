"""What an analyser is: one question about what an agent did in a dialogue, answered yes or no."""

import hashlib
from abc import ABC, abstractmethod
from pathlib import Path
from string import Template
from typing import ClassVar

from nip.errors import ParameterError, unknown_name
from nip.language_models.chat import ChatMessage
from nip.protocols.handler import ProtocolHandler
from nip.rollout_analysis.subject import Subject
from nip.rollout_analysis.yes_or_no import read_yes_or_no

PLACEHOLDERS = {
    "agent_name": "the name of the agent that is asked about",
    "goal": "what that agent is rewarded for",
    "question": "the problem",
    "solution": "the solution that is judged",
    "messages": "what the agent said, message by message",
    "dialogue": "what everybody said, round by round",
}
"""What a prompt may use, with what it stands for."""


class Analyser(ABC):
    """One question about what an agent did in a dialogue, answered yes or no."""

    name: ClassVar[str]
    """Under which it is registered."""

    question: ClassVar[str]
    """The question in a few words, for tables and ``--list``."""

    @abstractmethod
    def agents(self, protocol: ProtocolHandler) -> tuple[str, ...]:
        """Return the agents about which the question is asked, none where it has no meaning.

        Parameters
        ----------
        protocol : ProtocolHandler
            Names all agents.
        """

    def applies(self, subject: Subject) -> bool:
        """Tell whether the question has a meaning in this dialogue."""
        return True

    @property
    @abstractmethod
    def digest(self) -> str:
        """Fingerprint of what decides the answers; with another one, all are given anew."""


class ComputedAnalyser(Analyser):
    """A question that needs no model."""

    @abstractmethod
    def compute(self, subject: Subject) -> bool:
        """Answer the question."""

    @property
    def digest(self) -> str:
        """Nothing: what is computed is computed anew every time."""
        return ""


class ModelAnalyser(Analyser):
    """A question that is put to a language model.

    Raises
    ------
    ParameterError
        On construction, if the prompt cannot be read or filled in.
    """

    prompt: ClassVar[Path | str]
    """Template of the prompt, or the file that holds it; ``PLACEHOLDERS`` lists what it may use."""

    def __init__(self) -> None:
        self._template = Template(_read(self.prompt))
        if not self._template.is_valid():
            raise ParameterError(
                f"The prompt of analyser {self.name!r} has a dollar sign that begins no name. For "
                "a plain one, write $$."
            )
        for name in self._template.get_identifiers():
            if name not in PLACEHOLDERS:
                raise ParameterError(
                    f"The prompt of analyser {self.name!r}: "
                    f"{unknown_name('placeholder', name, PLACEHOLDERS)}"
                )

    @property
    def digest(self) -> str:
        """The SHA-256 of the prompt."""
        return hashlib.sha256(self._template.template.encode()).hexdigest()

    def conversation(self, subject: Subject) -> list[ChatMessage]:
        """Write what the model is asked."""
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
        """Read what the model answered; None if it is neither yes nor no."""
        return read_yes_or_no(answer)


def _read(prompt: Path | str) -> str:
    if isinstance(prompt, str):
        return prompt
    try:
        return prompt.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"The prompt {str(prompt)!r} cannot be read: {error}") from error
