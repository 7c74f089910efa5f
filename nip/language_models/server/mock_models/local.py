"""The mock model ``local``: a real model, loaded from a folder of ``transformers``."""

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
    """Generates with a local model, or with an adapter of it that was loaded.

    Apart from adapters it is the same model, whatever the client names. It cannot be trained.
    """

    is_trainable = False

    def __init__(self, file: str | None = None) -> None:
        if file is None:
            raise ParameterError(
                "brain='local' needs the folder of a model, got brain_file=None. Set brain_file to "
                "a folder that save_pretrained wrote."
            )
        super().__init__(file)
        self._spec = ModelSpec(provider="local", model_name=file)
        check_access(self._spec)
        # Created on the first request, because it starts a thread and imports torch.
        self._models: dict[str | None, ChatModel] = {}

    async def answer(self, request: MockRequest) -> MockAnswer:
        """Generate an answer."""
        if request.adapter not in self._models:
            self._models[request.adapter] = self._build(request.adapter)
        sampling = replace(request.sampling, seed=request.seed)
        completion = await self._models[request.adapter].complete(request.messages, sampling)
        return MockAnswer(completion.text, completion.finish_reason)

    def _build(self, adapter: str | None) -> ChatModel:
        base = self._spec.model_name
        spec = self._spec if adapter is None else ModelSpec("local", adapter, fine_tuned_from=base)
        return build_chat_model(spec, ConnectionContext())

    def train(self, base_model_data: Any, examples: Sequence[TrainingExample], method: str) -> Any:
        """Raise a ``ParameterError``."""
        raise ParameterError("brain='local' cannot be trained. Choose brain='dialogue' for that.")

    async def aclose(self) -> None:
        """Release the model."""
        while self._models:
            await self._models.popitem()[1].aclose()
