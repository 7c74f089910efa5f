"""Models that an application in this process plays, over the same interface as real ones."""

from openai import AsyncOpenAI

from nip.language_models.chat import ModelSpec
from nip.language_models.provider_registry import ConnectionContext, register_chat_provider
from nip.language_models.providers.connection import (
    REHEARSAL_ADDRESS,
    find_rehearsal_app,
    open_rehearsal_client,
)
from nip.language_models.providers.openai import OpenAIChatModel


@register_chat_provider("rehearsal")
class RehearsalChatModel(OpenAIChatModel):
    """A model that the context's application plays; no key is read and nothing leaves the process.

    Every request takes the way of a real one, through the official SDK, and is worded as for
    OpenAI; only the network is missing.
    """

    @classmethod
    def check_access(cls, spec: ModelSpec, context: ConnectionContext) -> None:  # noqa: ARG003
        """Tell what is missing, see ``ProvidedChatModel``."""
        find_rehearsal_app(context)

    @property
    def address(self) -> str:
        """Where it would be."""
        return REHEARSAL_ADDRESS

    def _open_client(self) -> AsyncOpenAI:
        return open_rehearsal_client(self._context)

    def _name_of_token_limit(self) -> str:
        return "max_completion_tokens"
