"""The provider ``local``: models in a folder of the ``transformers`` library."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nip.language_models.chat import ChatMessage, Completion, ModelSpec, Sampling
from nip.language_models.errors import LanguageModelError, ModelConnectionError, ModelTimeoutError
from nip.language_models.local_model.folder import check_folder
from nip.language_models.local_model.generation import Question
from nip.language_models.local_model.shared_model import MODEL_POOL, SharedModel
from nip.language_models.provider_registry import (
    ConnectionContext,
    ProvidedChatModel,
    register_chat_provider,
)
from nip.utils.event_loop import timeout_while_running

# A batch is complete when no further call has come for this time in seconds: long enough for calls
# that start in one iteration of the event loop, short compared to generating a token.
_QUIET_S = 0.005
_MAX_GATHERING_S = 0.1


@dataclass(eq=False)
class _Waiting:
    """A call that waits for its completion."""

    messages: Sequence[ChatMessage]
    sampling: Sampling
    answer: asyncio.Future[Completion]
    is_wanted: bool = True

    @property
    def length(self) -> int:
        """Number of characters of the conversation."""
        return sum(len(message["content"]) for message in self.messages)


@register_chat_provider("local")
class LocalChatModel(ProvidedChatModel):
    """A model from a folder written by ``save_pretrained``; its name is the path of the folder.

    Concurrent calls are batched and run in one worker thread, so that the event loop is not
    blocked. Models that are adapters of one model share it: it is loaded once, and its adapters are
    switched between batches. Each call uses a random generator with its own seed. The rest of the
    batch affects a completion only by rounding of the probabilities. Models of up to 5 million
    weights compute in double precision on a CPU, where this is about 1e-15. In single precision it
    is about 1e-6, which changes about one token in a million, and in half precision more;
    ``max_batch_size=1`` in the context avoids this.

    ``temperature`` and ``top_p`` default to 1; the generation configuration of the folder is
    ignored. ``max_tokens`` defaults to 512.
    """

    def __init__(self, spec: ModelSpec, context: ConnectionContext) -> None:
        super().__init__(spec, context)
        self._folder = check_folder(spec.model_name, spec.fine_tuned_from)
        self._acquired: tuple[SharedModel, Path, Path | None] | None = None
        self._waiting: list[_Waiting] = []
        self._batch: list[_Waiting] = []
        self._serving: asyncio.Task[None] | None = None

    @classmethod
    def check_access(cls, spec: ModelSpec, context: ConnectionContext) -> None:  # noqa: ARG003
        """Check the folder, see ``ProvidedChatModel``."""
        check_folder(spec.model_name, spec.fine_tuned_from)

    async def complete(self, messages: Sequence[ChatMessage], sampling: Sampling) -> Completion:
        """Generate one completion; the model is loaded on the first call."""
        loop = asyncio.get_running_loop()
        waiting = _Waiting(messages, sampling, loop.create_future())
        self._waiting.append(waiting)
        if self._serving is None or self._serving.done():
            self._serving = loop.create_task(self._serve())
        try:
            async with timeout_while_running(self._context.timeout_s):
                return await waiting.answer
        except TimeoutError:
            raise ModelTimeoutError(
                f"{self._spec.model_name}: no answer within {self._context.timeout_s:g} s. Raise "
                f"the timeout, or lower max_concurrency."
            ) from None
        finally:
            waiting.is_wanted = False

    async def _serve(self) -> None:
        """Process batches until no call is waiting."""
        while self._waiting:
            await self._gather()
            self._waiting = [each for each in self._waiting if each.is_wanted]
            self._batch = self._next_batch()
            if self._batch:
                await self._serve_batch(self._batch)

    async def _gather(self) -> None:
        """Wait for further calls, as long as they keep coming and the batch has room for them."""
        end = asyncio.get_running_loop().time() + _MAX_GATHERING_S
        known = -1
        while known < len(self._waiting) < self._context.max_batch_size or known < 0:
            known = len(self._waiting)
            await asyncio.sleep(_QUIET_S)
            if asyncio.get_running_loop().time() > end:
                return

    def _next_batch(self) -> list[_Waiting]:
        """Take the call that waits longest, and those of the most similar length."""
        size = self._context.max_batch_size
        if len(self._waiting) > size:
            first = self._waiting[0]
            # Each call is as long as the longest of its batch. The sort is stable, so that calls
            # of equal length keep their order.
            others = sorted(self._waiting[1:], key=lambda each: abs(each.length - first.length))
            batch = [first, *others[: size - 1]]
            chosen = set(map(id, batch))
            self._waiting = [each for each in self._waiting if id(each) not in chosen]
            return batch
        batch, self._waiting = self._waiting, []
        return batch

    async def _serve_batch(self, batch: list[_Waiting]) -> None:
        answers: Sequence[Completion | Exception]
        try:
            answers = await self._write(batch)
        except Exception as error:
            answers = [error] * len(batch)
        for waiting, answer in zip(batch, answers, strict=True):
            if waiting.answer.done():
                continue
            if isinstance(answer, Exception):
                waiting.answer.set_exception(answer)
            else:
                waiting.answer.set_result(answer)

    async def _write(self, batch: list[_Waiting]) -> Sequence[Completion | LanguageModelError]:
        """Generate the completions of a batch in the worker thread of the model."""
        if self._acquired is None:
            self._acquired = MODEL_POOL.acquire(self._folder, self._spec.fine_tuned_from)
        shared, _, adapter = self._acquired
        questions = [
            Question(each.messages, each.sampling, lambda each=each: each.is_wanted)  # type: ignore[misc]
            for each in batch
        ]
        return await asyncio.wrap_future(shared.write(adapter, questions, self._spec.model_name))

    async def aclose(self) -> None:
        """Abort running calls, and release the model if nobody else uses it."""
        for waiting in [*self._batch, *self._waiting]:
            waiting.is_wanted = False
            if not waiting.answer.done():
                waiting.answer.set_exception(
                    ModelConnectionError(f"{self._spec.model_name}: the model was closed.")
                )
        self._waiting.clear()
        if self._serving is not None:
            self._serving.cancel()
        if self._acquired is not None:
            _, key, adapter = self._acquired
            self._acquired = None
            await asyncio.to_thread(MODEL_POOL.release, key, adapter)
