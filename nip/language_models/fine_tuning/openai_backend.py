"""The fine-tuning backend ``openai``: any service with an OpenAI-compatible API."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, TypeVar, cast

import httpx2
from openai import AsyncOpenAI, OpenAIError
from openai.pagination import AsyncCursorPage
from openai.types.fine_tuning import FineTuningJob
from openai.types.fine_tuning.job_create_params import Method

from nip.errors import ParameterError
from nip.language_models.chat import ModelSpec
from nip.language_models.errors import LanguageModelError, MalformedAnswerError
from nip.language_models.fine_tuning.backend import FineTuningBackend, JobRequest, RemoteJob
from nip.language_models.fine_tuning.job_names import KEY_ENTRY, tag_of
from nip.language_models.fine_tuning.registry import register_fine_tuning_backend
from nip.language_models.provider_registry import ConnectionContext, find_chat_provider
from nip.language_models.providers.connection import (
    find_address,
    find_key,
    find_mock_api,
    open_client,
    open_mock_client,
)
from nip.language_models.providers.error_translation import translate_error
from nip.language_models.providers.openai import OpenAIChatModel
from nip.utils.secrets import scrub, scrub_tree
from nip.utils.unicode_text import valid_unicode, visible

Answer = TypeVar("Answer")
Listed = TypeVar("Listed")

_PURPOSE: Final = "fine-tune"
_PAGE = 100
# Exceptions that the SDK raises for malformed responses.
_MALFORMED = (ValueError, TypeError, AttributeError, KeyError)


@register_fine_tuning_backend("openai")
class OpenAIBackend(FineTuningBackend):
    """Files and fine-tuning jobs of an OpenAI-compatible API, through the official SDK.

    Base URL and API key are determined as for the chat provider ``openai``. Models of the provider
    ``rehearsal`` are trained by the mock API in process.

    Existing jobs are found by their metadata. If the service does not store it (``metadata`` is
    null or missing), they are found by the suffix, which contains a part of the key: in the field
    ``user_provided_suffix``, or in the name of the finished model.

    OpenAI accepts no new fine-tuning jobs after 6 January 2027; models trained by then remain
    available.
    """

    min_examples = 10
    max_file_bytes = 512 * 2**20

    def __init__(self, model: ModelSpec, context: ConnectionContext) -> None:
        self.check_access(model, context)
        self._model = model
        self.is_free = _is_mocked(model)
        self._timeout_s = context.timeout_s
        self._client = (
            open_mock_client(context) if _is_mocked(model) else open_client(model, context)
        )

    @classmethod
    def check_access(cls, model: ModelSpec, context: ConnectionContext) -> None:
        """Check base URL and API key, see ``FineTuningBackend``."""
        if _is_mocked(model):
            find_mock_api(context)
        else:
            _check_provider(model)
            if len(model.of_replicas()) > 1:
                raise ParameterError(
                    f"fine_tuning.backend='openai' needs a single base_url, got "
                    f"{list(model.base_url or ())}: a job is created at one of them. Give one "
                    "address, or choose another backend."
                )
            find_address(model)
            find_key(model)

    async def upload(self, content: bytes, name: str) -> str:
        """Upload a dataset."""

        async def upload(client: AsyncOpenAI) -> str:
            file = (name, content, "application/jsonl")
            return _text(await client.files.create(file=file, purpose=_PURPOSE), "id")

        return await self._call(upload)

    async def find_file(self, name: str) -> str | None:
        """Search all pages of training files; files with the status ``error`` are skipped."""

        async def find(client: AsyncOpenAI) -> str | None:
            async for file in _all_of(client.files.list(purpose=_PURPOSE)):
                if _text(file, "filename") == name and file.status != "error":
                    return _text(file, "id")
            return None

        return await self._call(find)

    async def create_job(self, request: JobRequest) -> RemoteJob:
        """Create a job."""
        settings = {"hyperparameters": request.hyper_params}
        method = cast(Method, {"type": request.method, request.method: settings})

        async def create(client: AsyncOpenAI) -> RemoteJob:
            job = await client.fine_tuning.jobs.create(
                model=request.base_model,
                training_file=request.training_file_id,
                method=method,
                suffix=request.suffix,
                seed=request.seed,
                metadata=dict(request.metadata),
            )
            return _read_job(job, self._model.api_key_variable)

        return await self._call(create)

    async def find_job(self, key: str) -> RemoteJob | None:
        """Search all pages of jobs, newest first."""

        async def find(client: AsyncOpenAI) -> RemoteJob | None:
            async for job in _all_of(client.fine_tuning.jobs.list(limit=_PAGE)):
                found = _read_job(job, self._model.api_key_variable)
                if _has_key(job, key):
                    return found
            return None

        return await self._call(find)

    async def get_job(self, job_id: str) -> RemoteJob:
        """Return the current state of a job."""

        async def get(client: AsyncOpenAI) -> RemoteJob:
            return _read_job(
                await client.fine_tuning.jobs.retrieve(job_id), self._model.api_key_variable
            )

        return await self._call(get)

    async def cancel_job(self, job_id: str) -> RemoteJob:
        """Cancel a job."""

        async def cancel(client: AsyncOpenAI) -> RemoteJob:
            return _read_job(
                await client.fine_tuning.jobs.cancel(job_id), self._model.api_key_variable
            )

        return await self._call(cancel)

    async def list_events(self, job_id: str) -> list[dict[str, Any]]:
        """Return the events of all pages, oldest first."""

        async def collect(client: AsyncOpenAI) -> list[dict[str, Any]]:
            events = client.fine_tuning.jobs.list_events(job_id, limit=_PAGE)
            newest_first = [
                {
                    "created_at": event.created_at,
                    "level": event.level,
                    "type": event.type or "message",
                    "message": event.message,
                    "data": event.data,
                }
                async for event in _all_of(events)
            ]
            # A service may repeat the key.
            oldest_first: list[dict[str, Any]] = scrub_tree(
                newest_first[::-1], self._model.api_key_variable
            )
            return oldest_first

        return await self._call(collect)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _call(self, call: Callable[[AsyncOpenAI], Awaitable[Answer]]) -> Answer:
        """Call the service once, and translate exceptions."""
        answer = await self._try(call)
        if isinstance(answer, LanguageModelError):
            # Raised outside of `except`, so that it is not chained to the SDK's exception, whose
            # request contains the API key.
            raise answer
        return answer

    async def _try(
        self, call: Callable[[AsyncOpenAI], Awaitable[Answer]]
    ) -> Answer | LanguageModelError:
        try:
            # The timeout of the HTTP client applies to each read, not to the whole response.
            async with asyncio.timeout(self._timeout_s):
                return await call(self._client)
        except (OpenAIError, httpx2.HTTPError, OSError) as error:
            return translate_error(error, self._model)
        except _MALFORMED as error:
            return MalformedAnswerError(
                f"The fine-tuning service of {self._model.model_name} sent a malformed response "
                f"({type(error).__name__}: {error})."
            )


async def _all_of(listed: Awaitable[AsyncCursorPage[Listed]]) -> AsyncIterator[Listed]:
    """Iterate over all pages of a list; stop at a repeated item.

    Services without pagination ignore ``after`` and return the first page again and again. Raise
    ``ValueError`` if a page is malformed; the SDK would treat it as empty, and existing objects as
    missing.
    """
    seen: set[str] = set()
    async for page in (await listed).iter_pages():
        if not isinstance(page.data, list):
            raise ValueError(f"data should be a list, got {page.data!r}")
        for each in page.data:
            name = getattr(each, "id", None)
            if name in seen:
                return
            if name is not None:
                seen.add(name)
            yield each


def _is_mocked(model: ModelSpec) -> bool:
    return model.provider.lower() == "rehearsal"


def _check_provider(model: ModelSpec) -> None:
    """Refuse models of another provider, such as ``local``, whose data must not be sent."""
    provider = find_chat_provider(model.provider)
    if not issubclass(provider, OpenAIChatModel) or not provider.has_jobs:
        raise ParameterError(
            f"fine_tuning.backend='openai' cannot train the model {model.model_name!r} of "
            f"model_provider={model.provider!r}: its dialogues would be sent to "
            f"{find_address(model)}, which does not have this model. Choose a backend that trains "
            "it, or set freeze_agent=true, or rl.num_iterations=1."
        )


def _text(item: object, name: str) -> str:
    """Return a field that must be a string; the SDK does not validate responses."""
    value = getattr(item, name, None)
    if not isinstance(value, str):
        raise ValueError(f"{name} should be a string, got {value!r}")
    return value


def _read_job(job: FineTuningJob, key_variable: str | None) -> RemoteJob:
    error = getattr(job, "error", None)
    reason = (getattr(error, "message", None) or getattr(error, "code", None)) if error else None
    return RemoteJob(
        id=_text(job, "id"),
        status=_text(job, "status"),
        model=getattr(job, "fine_tuned_model", None),
        trained_tokens=getattr(job, "trained_tokens", None),
        error=None if reason is None else scrub(visible(valid_unicode(str(reason))), key_variable),
    )


def _has_key(job: FineTuningJob, key: str) -> bool:
    if job.metadata:
        return job.metadata.get(KEY_ENTRY) == key
    suffix = (job.model_extra or {}).get("user_provided_suffix")
    return any(tag_of(key) in str(name) for name in (suffix, job.fine_tuned_model) if name)
