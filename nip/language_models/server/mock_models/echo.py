"""The mock model ``echo``: repeats the last message of the user."""

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
    """Repeats the last message of the user. Training has no effect."""

    def __init__(self, file: str | None = None) -> None:
        if file is not None:
            raise ParameterError(
                f"brain='echo' does not use a file, got brain_file={file!r}. Leave brain_file out, "
                "or choose brain='dialogue'."
            )
        super().__init__(file)

    async def answer(self, request: MockRequest) -> MockAnswer:
        """Return the last message of the user."""
        said = (each["content"] for each in reversed(request.messages) if each["role"] == "user")
        return MockAnswer(next(said, ""))

    def train(self, base_model_data: Any, examples: Sequence[TrainingExample], method: str) -> Any:
        """Return the data of the base model unchanged."""
        return base_model_data
