"""The provider ``vllm``: models of vLLM servers, with adapters that are loaded at run time."""

import asyncio
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx2

from nip.errors import ParameterError
from nip.language_models.chat import ChatMessage, Completion, ModelSpec, Sampling
from nip.language_models.errors import LanguageModelError, UnknownModelError
from nip.language_models.local_model.folder import ADAPTER_CONFIG, check_adapter
from nip.language_models.openai_address import OWN_ADDRESS, address_of
from nip.language_models.provider_registry import ConnectionContext, register_chat_provider
from nip.language_models.providers.openai import OpenAIChatModel
from nip.language_models.providers.replicas import Replica
from nip.language_models.providers.served_adapter import AdapterServer, ServedAdapter
from nip.utils.files import with_home


@register_chat_provider("vllm")
class VllmChatModel(OpenAIChatModel):
    """A model of vLLM servers: the one that they serve, or a LoRA adapter in a folder.

    A model whose name is the folder of an adapter is loaded before its first request, on each
    replica, under a name that was never used for another adapter; older adapters of the same group
    of agents and run are unloaded then. A server that has lost the adapter, because it was
    restarted, gets it again. Any other name is that of a model which the servers have.

    The servers must be started with ``--enable-lora``, with the environment variable
    ``VLLM_ALLOW_RUNTIME_LORA_UPDATING=1``, and must find the folder at the same absolute path.
    """

    has_jobs = False

    def __init__(self, spec: ModelSpec, context: ConnectionContext) -> None:
        super().__init__(spec, context)
        self._servers = {
            replica: AdapterServer(replica, context.timeout_s) for replica in self._replicas.all
        }
        self._first_loading: asyncio.Task[None] | None = None

    @classmethod
    def check_access(cls, spec: ModelSpec, context: ConnectionContext) -> None:
        """Check base URLs, API key, and the files of an adapter, see ``ProvidedChatModel``."""
        if spec.base_url is None and address_of(None) == OWN_ADDRESS:
            raise ParameterError(
                f"model_provider='vllm' needs the address of the server of {spec.model_name!r}. "
                "Set base_url, such as http://localhost:8000/v1, or a list of addresses."
            )
        super().check_access(spec, context)
        folder = with_home(spec.model_name)
        if is_adapter(folder):
            check_adapter(folder)
        elif spec.fine_tuned_from is not None:
            raise ParameterError(
                f"A vLLM server cannot load the model {spec.model_name!r} at run time, only "
                "adapters. Set local_training.adaptation=lora."
            )

    async def complete_turn(
        self, messages: Sequence[ChatMessage], sampling: Sampling, dialogue: str
    ) -> Completion:
        """Load the adapter if that was not done yet, and send one request."""
        if self._adapter is not None:
            await self._load_everywhere(self._adapter)
        return await super().complete_turn(messages, sampling, dialogue)

    async def _load_everywhere(self, adapter: ServedAdapter) -> None:
        """Load the adapter on all replicas at once, before the first request to any of them.

        Errors are raised by the requests to the replica that has them.
        """
        if self._first_loading is None:

            async def load() -> None:
                servers = self._servers.values()
                loading = (server.provide(adapter) for server in servers)
                await asyncio.gather(*loading, return_exceptions=True)

            self._first_loading = asyncio.create_task(load())
        # Shielded, because other callers wait for it as well.
        await asyncio.shield(self._first_loading)

    async def _post(
        self, body: dict[str, Any], replica: Replica
    ) -> httpx2.Response | LanguageModelError:
        if self._adapter is None:
            return await super()._post(body, replica)
        server = self._servers[replica]
        try:
            await server.provide(self._adapter)
            answer = await super()._post(body, replica)
            if isinstance(answer, UnknownModelError):
                # The server was restarted, or another program has unloaded the adapter.
                server.forget(self._adapter)
                await server.provide(self._adapter)
                answer = await super()._post(body, replica)
        except LanguageModelError as error:
            return error
        if isinstance(answer, LanguageModelError) and answer.is_unreachable:
            server.forget(self._adapter)
        return answer

    @property
    def _model_at_server(self) -> str:
        return self._spec.model_name if self._adapter is None else self._adapter.name

    @cached_property
    def _adapter(self) -> ServedAdapter | None:
        folder = with_home(self._spec.model_name)
        return ServedAdapter.of_folder(folder.absolute()) if is_adapter(folder) else None

    async def aclose(self) -> None:
        """Close the connections. The adapter stays loaded, until the next one takes its place."""
        if self._first_loading is not None:
            self._first_loading.cancel()
        await super().aclose()


def is_adapter(folder: Path) -> bool:
    """Return whether a model name is the folder of an adapter."""
    return (folder / ADAPTER_CONFIG).is_file()
