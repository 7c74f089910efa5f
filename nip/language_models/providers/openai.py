"""The provider ``openai``: models of any service with an OpenAI-compatible API."""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx2
from openai import AsyncOpenAI, OpenAIError

from nip.language_models.chat import ChatMessage, Completion, ModelSpec, Sampling
from nip.language_models.errors import LanguageModelError
from nip.language_models.openai_address import is_openai
from nip.language_models.provider_registry import (
    ConnectionContext,
    ProvidedChatModel,
    register_chat_provider,
)
from nip.language_models.providers.answer_reading import read_completion
from nip.language_models.providers.client_pool import ClientPool
from nip.language_models.providers.connection import find_address, find_key, open_client
from nip.language_models.providers.error_translation import translate_error

_PATH = "/chat/completions"


@register_chat_provider("openai")
class OpenAIChatModel(ProvidedChatModel):
    """A model behind the chat completions API, called through the official SDK.

    The base URL is ``base_url`` of the spec, else the environment variable ``OPENAI_BASE_URL``,
    else that of OpenAI. The API key comes from ``api_key_variable`` of the spec, else from
    ``OPENAI_API_KEY``; other servers than OpenAI's may need none. The key never appears in
    messages, ``repr`` or logs.

    Sampling parameters that are None are not sent. The token limit is sent as
    ``max_completion_tokens`` to OpenAI and Azure, whose reasoning models reject ``max_tokens``, and
    as ``max_tokens`` to all other services, many of which support only that name;
    ``token_limit_name`` of the sampling overrides it. ``extra_body`` has priority over all other
    parameters, and null in it leaves one out.
    """

    def __init__(self, spec: ModelSpec, context: ConnectionContext) -> None:
        super().__init__(spec, context)
        self._clients = ClientPool(self._open_client)
        self._limit_name = self._name_of_token_limit()

    @classmethod
    def check_access(cls, spec: ModelSpec, context: ConnectionContext) -> None:  # noqa: ARG003
        """Check base URL and API key, see ``ProvidedChatModel``."""
        find_address(spec)
        find_key(spec)

    @property
    def address(self) -> str:
        """Base URL in use."""
        return find_address(self._spec)

    def _open_client(self) -> AsyncOpenAI:
        return open_client(self._spec, self._context)

    def _name_of_token_limit(self) -> str:
        is_own = is_openai(self.address)
        return "max_completion_tokens" if is_own else "max_tokens"

    async def complete(self, messages: Sequence[ChatMessage], sampling: Sampling) -> Completion:
        """Send one request; ``error_translation`` chooses the class of an error."""
        response = await self._post(self._request_body(messages, sampling))
        if isinstance(response, LanguageModelError):
            # Raised outside of `except`, so that it is not chained to the SDK's exception, whose
            # request contains the API key.
            raise response
        return read_completion(response.content, response.headers, self._spec)

    async def _post(self, body: dict[str, Any]) -> httpx2.Response | LanguageModelError:
        try:
            # The timeout of the HTTP client applies to each read, not to the whole response.
            async with asyncio.timeout(self._context.timeout_s):
                with self._clients.lend() as client:
                    return await client.post(_PATH, cast_to=httpx2.Response, body=body)
        except (OpenAIError, httpx2.HTTPError, OSError, UnicodeEncodeError) as error:
            return translate_error(error, self._spec)

    def _request_body(self, messages: Sequence[ChatMessage], sampling: Sampling) -> dict[str, Any]:
        parameters = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            sampling.token_limit_name or self._limit_name: sampling.max_tokens,
            "seed": sampling.seed if sampling.sends_seed else None,
            "reasoning_effort": sampling.reasoning_effort,
            **(sampling.extra_body or {}),
        }
        given = {name: value for name, value in parameters.items() if value is not None}
        return {"model": self._spec.model_name, "messages": list(messages), **given}

    async def aclose(self) -> None:
        """Close the connections."""
        await self._clients.aclose()
