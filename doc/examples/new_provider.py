"""A provider that calls a model twice, so that it can correct its first answer."""

from collections.abc import Sequence

from nip.errors import ParameterError
from nip.language_models.chat import ChatMessage, Completion, ModelSpec, Sampling
from nip.language_models.errors import LanguageModelError
from nip.language_models.provider_registry import (
    ConnectionContext,
    ProvidedChatModel,
    build_chat_model,
    check_access,
    register_chat_provider,
)

REQUEST = "Look at your message again. Write it once more, corrected where it was wrong."


@register_chat_provider("think_twice")
class TwiceThinkingChatModel(ProvidedChatModel):
    """Model that calls a model of another provider twice; its name is ``PROVIDER:NAME``."""

    def __init__(self, spec: ModelSpec, context: ConnectionContext) -> None:
        super().__init__(spec, context)
        self._inner = build_chat_model(inner_spec(spec), context)

    @classmethod
    def check_access(cls, spec: ModelSpec, context: ConnectionContext) -> None:
        """Check the inner model before any request is sent."""
        check_access(inner_spec(spec), context)

    async def complete(self, messages: Sequence[ChatMessage], sampling: Sampling) -> Completion:
        """Call the model, show it its answer, and call it again; its errors propagate."""
        first = await self._inner.complete(messages, sampling)
        again = [
            *messages,
            ChatMessage(role="assistant", content=first.text),
            ChatMessage(role="user", content=REQUEST),
        ]
        try:
            second = await self._inner.complete(again, sampling)
        except LanguageModelError as error:
            error.add_charge_of(first)
            raise
        return second.with_charge_of(first)

    async def aclose(self) -> None:
        """Close the connections of the inner model."""
        await self._inner.aclose()


def inner_spec(spec: ModelSpec) -> ModelSpec:
    """Return the spec of the inner model, with its own base URL and key."""
    provider, _, model_name = spec.model_name.partition(":")
    if not model_name:
        raise ParameterError(
            f"The name of a model that thinks twice must be PROVIDER:NAME, got "
            f"{spec.model_name!r}. Write, for example, openai:gpt-4o-mini-2024-07-18."
        )
    return ModelSpec(provider, model_name, spec.base_url, spec.api_key_variable)
