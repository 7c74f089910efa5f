"""The brain that repeats what it is told."""

from collections.abc import Sequence
from typing import Any

from nip.errors import ParameterError
from nip.language_models.server.mock_models.mock_model import (
    MockAnswer,
    MockModel,
    MockRequest,
    TrainingExample,
)
from nip.language_models.server.mock_models.registry import register_mock_model


@register_mock_model("echo")
class EchoModel(MockModel):
    """Says the last message of the user again. Training changes nothing."""

    def __init__(self, file: str | None = None) -> None:
        if file is not None:
            raise ParameterError(
                f"The brain 'echo' reads no file, got {file!r}. Leave it out, or choose 'dialogue'."
            )
        super().__init__(file)

    async def answer(self, request: MockRequest) -> MockAnswer:
        """Repeat."""
        said = (each["content"] for each in reversed(request.messages) if each["role"] == "user")
        return MockAnswer(next(said, ""))

    def train(self, base_model_data: Any, examples: Sequence[TrainingExample], method: str) -> Any:
        """Stay as it is."""
        return base_model_data
