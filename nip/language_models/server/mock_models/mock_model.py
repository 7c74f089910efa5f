"""Base class of the mock models, which answer conversations and can be trained."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from nip.language_models.chat import ChatMessage, FinishReason, Sampling


@dataclass(frozen=True, slots=True)
class MockRequest:
    """A conversation to answer."""

    model: str
    """Name of the requested model."""

    messages: Sequence[ChatMessage]
    """The conversation so far."""

    sampling: Sampling
    """Sampling parameters of the request."""

    seed: int
    """Seed of all random choices: the client's seed, or one derived from the messages."""

    model_data: Any = None
    """Result of ``train`` for the requested model; None for a base model."""

    adapter: str | None = None
    """Folder of the adapter that the requested model is; None if it is none."""


@dataclass(frozen=True, slots=True)
class MockAnswer:
    """The answer of a mock model."""

    text: str
    """Text of the answer."""

    finish_reason: FinishReason = "stop"
    """Why the text ends."""


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """One line of a training file."""

    messages: tuple[ChatMessage, ...]
    """The conversation before the target answer."""

    answer: str
    """The target answer; with ``dpo``, the preferred one; with ``policy_gradient``, a response."""

    rejected: str | None = None
    """The non-preferred answer; None except with ``dpo``."""

    advantage: float | None = None
    """The advantage of the response; None except with ``policy_gradient``."""


class MockModel(ABC):
    """A model of the mock API.

    An answer must be a function of the request alone: not of the clock, nor of earlier requests.

    Parameters
    ----------
    file : str, optional
        File or folder of the model; None uses its default.
    """

    is_trainable: ClassVar[bool] = True
    """Whether the model can be trained; an experiment in which it would be is refused otherwise."""

    def __init__(self, file: str | None = None) -> None:
        self.file = file

    @abstractmethod
    async def answer(self, request: MockRequest) -> MockAnswer:
        """Answer a conversation.

        Raises
        ------
        LanguageModelError
            If that is impossible, for example because the conversation is too long.
        """

    @abstractmethod
    def train(self, base_model_data: Any, examples: Sequence[TrainingExample], method: str) -> Any:
        """Train on examples.

        Parameters
        ----------
        base_model_data : Any
            Result of earlier training of the model; None for a base model.
        examples : Sequence[TrainingExample]
            The training examples.
        method : str
            ``supervised``, ``dpo`` or ``policy_gradient``.

        Returns
        -------
        model_data : Any
            Data of the new model, JSON-compatible.

        Raises
        ------
        NipError
            If training is impossible; the job then fails with this message.
        """

    async def aclose(self) -> None:  # noqa: B027 - most mock models have nothing to close
        """Release resources."""
