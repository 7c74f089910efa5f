"""LoRA adapters of a vLLM server, loaded and unloaded by its routes.

The routes exist if the server was started with ``VLLM_ALLOW_RUNTIME_LORA_UPDATING=1``; see
https://docs.vllm.ai/en/latest/features/lora/.
"""

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx2
from openai import APIStatusError, OpenAIError

from nip.errors import warn_user
from nip.language_models.errors import AdapterError, LanguageModelError
from nip.language_models.local_model.folder import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from nip.language_models.local_training.job_folder import JobFolder
from nip.language_models.providers.error_translation import ServiceError, translate_error
from nip.language_models.providers.replicas import Replica
from nip.utils.event_loop import timeout_while_running
from nip.utils.files import regular

_NUM_DIGITS = 12
_REFUSALS = (400, 404, 405, 422, 500)
"""Statuses of requests that would be refused again; vLLM sends 500 if it cannot load an adapter."""


@dataclass(frozen=True)
class ServedAdapter:
    """An adapter, and the name under which servers have it."""

    name: str
    """Name at the server: ``group@iteration`` and a part of the hash of the adapter's files."""

    folder: Path
    """Absolute path of its folder."""

    predecessors: str | None
    """Beginning of the names of the same group's adapters; None if they are unknown."""

    @classmethod
    def of_folder(cls, folder: Path) -> Self:
        """Name the adapter in a folder.

        An adapter that a job of a run has trained is named after its group and iteration, another
        one after its folder. With the hash, equal names are those of equal adapters: a server keeps
        what it has computed with an adapter under its name, even after another one was loaded under
        the same name.
        """
        job = JobFolder(folder.parent)
        label = job.request().name if job.exists else None
        digest = hashlib.sha256()
        for file in (ADAPTER_CONFIG, ADAPTER_WEIGHTS):
            with regular(folder / file).open("rb") as content:
                digest.update(hashlib.file_digest(content, "sha256").digest())
        name = f"{label or folder.name}-{digest.hexdigest()[:_NUM_DIGITS]}"
        group = None if label is None else f"{label.rpartition('@')[0]}@"
        return cls(name, folder, group)

    def replaces(self, name: str, root: str | None) -> bool:
        """Return whether an adapter at the server is an older one of the same group and run."""
        if self.predecessors is None or name == self.name or root is None:
            return False
        # <run>/local_jobs/<key>/model
        is_of_this_run = Path(root).parent.parent == self.folder.parent.parent
        return name.startswith(self.predecessors) and is_of_this_run


class AdapterServer:
    """The adapters of one replica.

    Parameters
    ----------
    replica : Replica
        The server.
    timeout_s : float
        Maximum time of a request in seconds.
    """

    def __init__(self, replica: Replica, timeout_s: float) -> None:
        self._replica = replica
        self._timeout_s = timeout_s
        self._lock = asyncio.Lock()
        self._loaded: ServedAdapter | None = None

    async def provide(self, adapter: ServedAdapter) -> None:
        """Load an adapter, unless that was done, and unload the older ones of its group.

        Raises
        ------
        AdapterError
            If the server cannot load it.
        LanguageModelError
            If the server cannot be asked now.
        """
        async with self._lock:
            if self._loaded == adapter:
                return
            await self._load(adapter)
            self._loaded = adapter
            await self._unload_predecessors(adapter)

    def forget(self, adapter: ServedAdapter) -> None:
        """Note that the server may not have an adapter any more."""
        if self._loaded == adapter:
            self._loaded = None

    async def _load(self, adapter: ServedAdapter) -> None:
        body = {"lora_name": adapter.name, "lora_path": str(adapter.folder)}
        refusal = await self._post("/load_lora_adapter", body)
        # The same adapter, loaded before a crash or by another group of this run.
        if refusal is None or "already been loaded" in refusal.message:
            return
        raise self._error(adapter, refusal)

    async def _unload_predecessors(self, adapter: ServedAdapter) -> None:
        """Unload older adapters; if that fails, they only take memory of the server."""
        try:
            for name in await self._names_of_predecessors(adapter):
                refusal = await self._post("/unload_lora_adapter", {"lora_name": name})
                if refusal is not None and refusal.status != 404:
                    raise AdapterError(f"{name}: {refusal.message}")
        except LanguageModelError as error:
            warn_user(
                f"An older adapter of {adapter.name} could not be unloaded from "
                f"{self._replica.name}: {error} It takes memory there until the server stops."
            )

    async def _names_of_predecessors(self, adapter: ServedAdapter) -> list[str]:
        async def list_models() -> httpx2.Response:
            with self._replica.clients.lend() as client:
                return await client.get("/models", cast_to=httpx2.Response)

        response = await self._ask(list_models())
        if isinstance(response, ServiceError):
            raise AdapterError(response.message)
        try:
            models = response.json()["data"]
            names = [(each["id"], each.get("root")) for each in models]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise AdapterError("The list of models is malformed.") from None
        return [name for name, root in names if adapter.replaces(name, root)]

    async def _post(self, path: str, body: dict[str, Any]) -> ServiceError | None:
        """Send a request; return the refusal of the server, if there is one."""

        async def post() -> httpx2.Response:
            with self._replica.clients.lend() as client:
                return await client.post(path, cast_to=httpx2.Response, body=body)

        response = await self._ask(post())
        return response if isinstance(response, ServiceError) else None

    async def _ask(self, request: Any) -> httpx2.Response | ServiceError:
        answer = await self._try(request)
        if isinstance(answer, LanguageModelError):
            # Raised outside of `except`, so that it is not chained to the SDK's exception, whose
            # request contains the API key.
            raise answer
        return answer

    async def _try(self, request: Any) -> httpx2.Response | ServiceError | LanguageModelError:
        try:
            async with timeout_while_running(self._timeout_s):
                response: httpx2.Response = await request
                return response
        except APIStatusError as error:
            if error.status_code in _REFUSALS:
                return ServiceError.from_body(error.status_code, error.body)
            return translate_error(error, self._replica.spec)
        except (OpenAIError, httpx2.HTTPError, OSError) as error:
            return translate_error(error, self._replica.spec)

    def _error(self, adapter: ServedAdapter, refusal: ServiceError) -> AdapterError:
        """Describe why an adapter cannot be loaded, and what to change."""
        said = refusal.message.rstrip(".")
        text = f"The server {self._replica.name} does not load the adapter {adapter.folder}"
        if "No adapter found" in said:
            return AdapterError(
                f"{text}, because it does not find it ({said}). The folder of the run must be at "
                "the same path on the server's machine: share it, or set settings.runs_dir to a "
                "shared folder."
            )
        if refusal.status in (404, 405):
            return AdapterError(
                f"{text}, because it has no route for that ({refusal.status}: {said}). Start it "
                "with the environment variable VLLM_ALLOW_RUNTIME_LORA_UPDATING=1 and the option "
                "--enable-lora, and let base_url end in /v1."
            )
        return AdapterError(
            f"{text} ({refusal.status}: {said}). Start it with --enable-lora, with --max-lora-rank "
            "of at least local_training.lora_rank, and with the model that the adapter was trained "
            "on."
        )
