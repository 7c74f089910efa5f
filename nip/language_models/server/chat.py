"""The route ``/v1/chat/completions``."""

import asyncio
import json
import re
import time
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from nip.language_models.chat import FinishReason, cut_at_stop
from nip.language_models.errors import BadRequestError, LanguageModelError
from nip.language_models.server.chat_request import (
    ChatRequest,
    count_prompt_tokens,
    count_tokens,
    cut_to_tokens,
)
from nip.language_models.server.endpoint import Endpoint
from nip.language_models.server.errors import ApiError, invalid, server_error, unknown_model
from nip.language_models.server.faults import Fault
from nip.language_models.server.json_io import read_json_object
from nip.language_models.server.mock_models.mock_model import MockAnswer, MockRequest
from nip.language_models.server.request_checks import MAX_BODY
from nip.seeding import stable_seed

_NO_LIMIT = 2**31

INVALID_ANSWER = "\n"
"""Text of a completion with the fault ``invalid_answer``: blank, which no protocol accepts."""


@dataclass(frozen=True, slots=True)
class ChatChoice:
    """One completion of a response."""

    text: str
    """The message."""

    finish_reason: FinishReason
    """Why the text ends."""


async def complete_chat(request: Request) -> Response:
    """Handle ``POST /v1/chat/completions``."""
    endpoint: Endpoint = request.app.state.endpoint
    arrived = time.monotonic()
    chat = ChatRequest.from_body(await read_json_object(request))
    endpoint.rate_limits.take(_num_requested_tokens(chat))
    digest = chat.digest()
    fault = endpoint.choose_fault("chat", digest, chat.model)

    async def complete() -> Response:
        choices = await _choices(endpoint, chat, fault)
        remaining = endpoint.options.latency_s - (time.monotonic() - arrived)
        if remaining > 0:
            await asyncio.sleep(remaining)
        response = _respond(endpoint, chat, digest, choices, fault)
        response.headers.update(endpoint.rate_limits.headers())
        return response

    return await endpoint.respond(fault, complete, chat.model)


def _num_requested_tokens(chat: ChatRequest) -> int:
    completions = chat.num_choices * (chat.sampling.max_tokens or 0)
    return count_prompt_tokens(chat.messages) + completions


async def _choices(endpoint: Endpoint, chat: ChatRequest, fault: Fault | None) -> list[ChatChoice]:
    if not endpoint.has_model(chat.model):
        raise unknown_model(chat.model)
    data, seed, choices = endpoint.state.models.data(chat.model), chat.seed(), []
    loaded = endpoint.adapters.get(chat.model)
    sampling = replace(chat.sampling, stop=chat.stop)
    for index in range(chat.num_choices):
        own_seed = stable_seed(seed, index) if index else seed
        mock_request = MockRequest(
            chat.model,
            chat.messages,
            sampling,
            own_seed,
            data,
            adapter=None if loaded is None else loaded.used_path,
        )
        try:
            answer = await endpoint.mock_model.answer(mock_request)
        except BadRequestError as error:
            raise invalid("messages", str(error)) from error
        except LanguageModelError as error:
            raise server_error(str(error)) from error
        choices.append(_finish(answer, chat, fault))
        if sum(len(choice.text) for choice in choices) > MAX_BODY:
            raise invalid("n", f"The completions exceed {MAX_BODY} characters. Choose a lower n.")
    return choices


def _finish(answer: MockAnswer, chat: ChatRequest, fault: Fault | None) -> ChatChoice:
    """Cut an answer at stop sequences and ``max_tokens``, and apply faults that change it."""
    name = None if fault is None else fault.name
    if name == "content_filter":
        # Real filters reject either the prompt (an error) or the completion (an empty one).
        if chat.digest()[0] % 2:
            raise ApiError(
                400,
                "The request was refused by the content filter. Please change your messages.",
                code="content_filter",
                param="messages",
            )
        return ChatChoice("", "content_filter")
    if name == "invalid_answer":
        return ChatChoice(INVALID_ANSWER, "stop")
    text = cut_at_stop(answer.text, chat.stop)
    finish_reason = answer.finish_reason if text == answer.text else "stop"
    limit = chat.sampling.max_tokens
    if limit is not None:
        # Reasoning comes first, and may leave nothing for the answer.
        limit = max(0, limit - chat.num_reasoning_tokens)
    if name == "truncated":
        limit = count_tokens(text) // 2
    if limit is not None and count_tokens(text) > limit:
        return ChatChoice(cut_to_tokens(text, limit), "length")
    return ChatChoice(text, finish_reason)


def _respond(
    endpoint: Endpoint,
    chat: ChatRequest,
    digest: bytes,
    choices: list[ChatChoice],
    fault: Fault | None,
) -> Response:
    prompt_tokens = count_prompt_tokens(chat.messages)
    limit = chat.sampling.max_tokens
    reasoning_tokens = len(choices) * min(chat.num_reasoning_tokens, limit or _NO_LIMIT)
    completion_tokens = reasoning_tokens + sum(count_tokens(choice.text) for choice in choices)
    endpoint.state.counters.bill(prompt_tokens=prompt_tokens, completion_tokens=completion_tokens)
    if fault is None or fault.has_answer:
        endpoint.state.counters.count_generation(digest, prompt_tokens, completion_tokens)
    if fault is not None and fault.name == "empty_choices":
        choices = []
    envelope = {
        "id": f"chatcmpl-{digest.hex()[:24]}",
        "created": int(time.time()),
        "model": chat.model,
        "system_fingerprint": f"nip_{endpoint.options.brain}",
    }
    usage: dict[str, Any] = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "completion_tokens_details": {"reasoning_tokens": reasoning_tokens},
    }
    if chat.is_streamed:
        return _stream(envelope, usage if chat.includes_usage else None, choices)
    return JSONResponse(
        {
            **envelope,
            "object": "chat.completion",
            "choices": [_show(choice, index) for index, choice in enumerate(choices)],
            "usage": usage,
        }
    )


def _show(choice: ChatChoice, index: int) -> dict[str, Any]:
    return {
        "index": index,
        "message": {"role": "assistant", "content": choice.text, "refusal": None},
        "logprobs": None,
        "finish_reason": choice.finish_reason,
    }


def _stream(
    envelope: dict[str, Any], usage: dict[str, Any] | None, choices: list[ChatChoice]
) -> Response:
    """Return the completions as server-sent events, one per line of text."""
    chunks: list[dict[str, Any]] = []
    for index, choice in enumerate(choices):
        lines = re.findall(r"[^\n]*\n|[^\n]+", choice.text)
        deltas: list[dict[str, str]] = [{"role": "assistant", "content": ""}]
        deltas += [{"content": line} for line in lines]
        pieces: list[dict[str, Any]] = [{"delta": each, "finish_reason": None} for each in deltas]
        pieces.append({"delta": {}, "finish_reason": choice.finish_reason})
        chunks += [{"choices": [{"index": index, "logprobs": None, **each}]} for each in pieces]
    if usage is not None:
        chunks.append({"choices": [], "usage": usage})
    events = [
        json.dumps({**envelope, "object": "chat.completion.chunk", **chunk}) for chunk in chunks
    ]
    text = "".join(f"data: {event}\n\n" for event in [*events, "[DONE]"])
    return Response(text, media_type="text/event-stream")
