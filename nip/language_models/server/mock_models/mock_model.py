"""What every brain of the endpoint is: it answers conversations, and it can be taught."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nip.language_models.chat import ChatMessage, FinishReason, Sampling


@dataclass(frozen=True, slots=True)
class MockRequest:
    """A conversation to be answered."""

    model: str
    """The model that is asked for."""

    messages: Sequence[ChatMessage]
    """What was said so far."""

    sampling: Sampling
    """What the client asked for."""

    seed: int
    """Decides where the brain has a choice: the client's seed, or one made of the messages."""

    model_data: Any = None
    """What training made of the model; None: it was never trained."""


@dataclass(frozen=True, slots=True)
class MockAnswer:
    """What a brain says."""

    text: str
    """The message."""

    finish_reason: FinishReason = "stop"
    """Why it ends there."""


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """One line of a training file."""

    messages: tuple[ChatMessage, ...]
    """The conversation up to the answer that is learnt."""

    answer: str
    """What the model is to say."""

    rejected: str | None = None
    """What it is not to say, in preference data."""


class MockModel(ABC):
    """Answers conversations.

    An answer may depend on nothing but the request: not on the clock, nor on what was asked before.

    Parameters
    ----------
    file : str, optional
        What the brain is made from, a file or folder; None for its own default.
    """

    def __init__(self, file: str | None = None) -> None:
        self.file = file

    @abstractmethod
    async def answer(self, request: MockRequest) -> MockAnswer:
        """Say something.

        Raises
        ------
        LanguageModelError
            If it cannot, for example because the conversation is too long.
        """

    @abstractmethod
    def train(self, base_model_data: Any, examples: Sequence[TrainingExample], method: str) -> Any:
        """Learn.

        Parameters
        ----------
        base_model_data : Any
            What earlier training made of the model; None: it was never trained.
        examples : Sequence[TrainingExample]
            What is to be learnt.
        method : str
            ``supervised`` or ``dpo``.

        Returns
        -------
        model_data : Any
            What the new model knows, as plain data that JSON can hold.

        Raises
        ------
        NipError
            If the brain cannot learn; the job then fails with this message.
        """

    async def aclose(self) -> None:  # noqa: B027 - most brains hold nothing open
        """Let go of what is held open."""
