"""The brain that is a real model, from a folder of the ``transformers`` library."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from nip.errors import ParameterError
from nip.language_models.chat import ChatModel, ModelSpec
from nip.language_models.provider_registry import ConnectionContext, build_chat_model, check_access
from nip.language_models.server.mock_models.mock_model import (
    MockAnswer,
    MockModel,
    MockRequest,
    TrainingExample,
)
from nip.language_models.server.mock_models.registry import register_mock_model


@register_mock_model("local")
class LocalMockModel(MockModel):
    """Lets a model in a folder answer, whatever model the client asks for. It cannot be trained."""

    def __init__(self, file: str | None = None) -> None:
        if file is None:
            raise ParameterError(
                "The brain 'local' needs the folder of a model, got None. Name one that "
                "save_pretrained wrote, as brain_file."
            )
        super().__init__(file)
        self._spec = ModelSpec(provider="local", model_name=file)
        check_access(self._spec)
        # Its thread starts, and torch is imported, only when it is first asked.
        self._model: ChatModel | None = None

    async def answer(self, request: MockRequest) -> MockAnswer:
        """Generate."""
        if self._model is None:
            self._model = build_chat_model(self._spec, ConnectionContext())
        sampling = replace(request.sampling, seed=request.seed)
        completion = await self._model.complete(request.messages, sampling)
        return MockAnswer(completion.text, completion.finish_reason)

    def train(self, base_model_data: Any, examples: Sequence[TrainingExample], method: str) -> Any:
        """Refuse."""
        raise ParameterError("The brain 'local' cannot be trained. Choose 'dialogue' for that.")

    async def aclose(self) -> None:
        """Let the model go."""
        if self._model is not None:
            await self._model.aclose()
            self._model = None
