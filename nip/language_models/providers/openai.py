"""The provider ``openai``: models of any service with an OpenAI-compatible API."""

from collections.abc import Sequence
from functools import cached_property, lru_cache, partial
from typing import Any, ClassVar

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
from nip.language_models.providers.connection import find_address, find_key, open_client
from nip.language_models.providers.error_translation import translate_error
from nip.language_models.providers.replicas import Replica, Replicas, opening_of
from nip.utils.event_loop import timeout_while_running


@lru_cache(maxsize=64)
def _url_of_completions(base_url: httpx2.URL) -> str:
    """Return the whole URL, which the SDK would otherwise join and parse for each request."""
    return str(base_url.copy_with(raw_path=base_url.raw_path + b"chat/completions"))


@register_chat_provider("openai")
class OpenAIChatModel(ProvidedChatModel):
    """A model behind the chat completions API, called through the official SDK.

    The base URL is ``base_url`` of the spec, else the environment variable ``OPENAI_BASE_URL``,
    else that of OpenAI. The spec may name several, those of replicas of one server; see
    ``Replicas``. The API key comes from ``api_key_variable`` of the spec, else from
    ``OPENAI_API_KEY``; other servers than OpenAI's may need none. The key never appears in
    messages, ``repr`` or logs.

    Sampling parameters that are None are not sent. The token limit is sent as
    ``max_completion_tokens`` to OpenAI and Azure, whose reasoning models reject ``max_tokens``, and
    as ``max_tokens`` to all other services, many of which support only that name;
    ``token_limit_name`` of the sampling overrides it. ``extra_body`` has priority over all other
    parameters, and null in it leaves one out.
    """

    has_jobs: ClassVar[bool] = True
    """Whether the service may have fine-tuning jobs of OpenAI's interface."""

    def __init__(self, spec: ModelSpec, context: ConnectionContext) -> None:
        super().__init__(spec, context)
        self._replicas = Replicas(
            [Replica(each, partial(self._open_client, each)) for each in spec.of_replicas()]
        )
        self._limit_name = self._name_of_token_limit()

    @classmethod
    def check_access(cls, spec: ModelSpec, context: ConnectionContext) -> None:  # noqa: ARG003
        """Check base URLs and API key, see ``ProvidedChatModel``."""
        for each in spec.of_replicas():
            find_address(each)
            find_key(each)

    @cached_property
    def address(self) -> str:
        """Base URL in use; of several replicas all of them."""
        return " ".join(find_address(each) for each in self._spec.of_replicas())

    def _open_client(self, spec: ModelSpec) -> AsyncOpenAI:
        return open_client(spec, self._context)

    def _name_of_token_limit(self) -> str:
        is_own = is_openai(self.address.split()[0])
        return "max_completion_tokens" if is_own else "max_tokens"

    async def complete(self, messages: Sequence[ChatMessage], sampling: Sampling) -> Completion:
        """Send one request; ``error_translation`` chooses the class of an error."""
        return await self.complete_turn(messages, sampling, "")

    async def complete_turn(
        self, messages: Sequence[ChatMessage], sampling: Sampling, dialogue: str
    ) -> Completion:
        """Send one request to the replica of a dialogue, or to another if it is unreachable."""
        body = self._request_body(messages, sampling)
        response = await self._replicas.ask(
            dialogue or opening_of(messages), partial(self._post, body)
        )
        if isinstance(response, LanguageModelError):
            # Raised outside of `except`, so that it is not chained to the SDK's exception, whose
            # request contains the API key.
            raise response
        # A dictionary, because each look-up in the headers of httpx2 decodes all of them.
        headers = dict(response.headers.items())
        return read_completion(response.content, headers, self._spec)

    async def _post(
        self, body: dict[str, Any], replica: Replica
    ) -> httpx2.Response | LanguageModelError:
        try:
            # The timeout of the HTTP client applies to each read, not to the whole response.
            async with timeout_while_running(self._context.timeout_s):
                with replica.clients.lend() as client:
                    url = _url_of_completions(client.base_url)
                    return await client.post(url, cast_to=httpx2.Response, body=body)
        except (OpenAIError, httpx2.HTTPError, OSError, UnicodeEncodeError) as error:
            return translate_error(error, replica.spec)

    def _request_body(self, messages: Sequence[ChatMessage], sampling: Sampling) -> dict[str, Any]:
        parameters = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            sampling.token_limit_name or self._limit_name: sampling.max_tokens,
            "seed": sampling.seed if sampling.sends_seed else None,
            "reasoning_effort": sampling.reasoning_effort,
            "stop": list(sampling.stop) or None,
            **(sampling.extra_body or {}),
        }
        given = {name: value for name, value in parameters.items() if value is not None}
        return {"model": self._model_at_server, "messages": list(messages), **given}

    @property
    def _model_at_server(self) -> str:
        """Name of the model in requests."""
        return self._spec.model_name

    async def aclose(self) -> None:
        """Close the connections."""
        await self._replicas.aclose()
