"""The provider ``rehearsal``: models of a mock API in the same process."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from openai import AsyncOpenAI

from nip.language_models.chat import ChatMessage, ModelSpec, Sampling
from nip.language_models.provider_registry import ConnectionContext, register_chat_provider
from nip.language_models.providers.connection import (
    MOCK_API_ADDRESS,
    find_mock_api,
    open_mock_client,
)
from nip.language_models.providers.openai import OpenAIChatModel


@register_chat_provider("rehearsal")
class RehearsalChatModel(OpenAIChatModel):
    """A model of the mock API of the context, called in process, without API key or network.

    Requests are the same as those to OpenAI and pass through the official SDK; only the transport
    differs. What other services define for themselves is not sent: ``extra_body`` and the name of
    the token limit.
    """

    @classmethod
    def check_access(cls, spec: ModelSpec, context: ConnectionContext) -> None:  # noqa: ARG003
        """Check that the context has a mock API, see ``ProvidedChatModel``."""
        find_mock_api(context)

    @property
    def address(self) -> str:
        """Base URL of the mock API."""
        return MOCK_API_ADDRESS

    def _open_client(self, spec: ModelSpec) -> AsyncOpenAI:
        return open_mock_client(self._context)

    def _name_of_token_limit(self) -> str:
        return "max_completion_tokens"

    def _request_body(self, messages: Sequence[ChatMessage], sampling: Sampling) -> dict[str, Any]:
        own = replace(sampling, extra_body=None, token_limit_name=None)
        return super()._request_body(messages, own)
