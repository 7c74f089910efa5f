"""Fake chat models with scripted outcomes, and calls for them."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from nip.language_models.chat import (
    ChatMessage,
    ChatModel,
    Completion,
    ModelSpec,
    RateLimitState,
    Sampling,
    TokenUsage,
)
from nip.language_models.engine.call import Call
from nip.language_models.engine.engine import Engine
from nip.language_models.engine.options import EngineOptions

SPEC = ModelSpec("scripted", "a-model")


def answer(
    text: str = "an answer",
    prompt_tokens: int = 10,
    completion_tokens: int = 5,
    rate_limits: RateLimitState | None = None,
) -> Completion:
    return Completion(
        text, "stop", TokenUsage(prompt_tokens, completion_tokens), "a-model", rate_limits
    )


def call(text: str = "a question", key: str = "", agent: str = "prover", **others: Any) -> Call:
    """Return a call with one message."""
    fields = {"model": SPEC, "sampling": Sampling(), **others}
    messages: list[ChatMessage] = [{"role": "user", "content": text}]
    return Call(messages=messages, agent=agent, key=key, **fields)


class FakeModel(ChatModel):
    """Waits, then raises or returns the next scripted outcome, or repeats the last message.

    Attributes
    ----------
    asked
        The last message of each call, in the order in which they were asked.
    times
        When.
    num_at_once
        How many were under way together at most.
    """

    def __init__(
        self, *outcomes: Completion | Exception, latency: float = 0.0, address: str = ""
    ) -> None:
        self.outcomes = deque(outcomes)
        self.latency = latency
        self._address = address
        self.asked: list[str] = []
        self.times: list[float] = []
        self.num_at_once = self.num_now = 0
        self.is_closed = False

    @property
    def spec(self) -> ModelSpec:
        return SPEC

    @property
    def address(self) -> str:
        return self._address

    async def complete(self, messages: Sequence[ChatMessage], sampling: Sampling) -> Completion:
        outcome = self.outcomes.popleft() if self.outcomes else None
        self.asked.append(messages[-1]["content"])
        self.times.append(asyncio.get_running_loop().time())
        self.num_now += 1
        self.num_at_once = max(self.num_at_once, self.num_now)
        try:
            await asyncio.sleep(self.latency)
        finally:
            self.num_now -= 1
        if isinstance(outcome, Exception):
            raise outcome
        return outcome or answer(f"answer to {messages[-1]['content']}")

    async def aclose(self) -> None:
        self.is_closed = True


class FunctionModel(FakeModel):
    """Leaves the answering to a function."""

    def __init__(self, function: Callable[[str], Awaitable[Completion]]) -> None:
        super().__init__()
        self.function = function

    async def complete(self, messages: Sequence[ChatMessage], sampling: Sampling) -> Completion:
        self.asked.append(messages[-1]["content"])
        return await self.function(messages[-1]["content"])


def engine_for(model: ChatModel, options: EngineOptions | None = None, **others: Any) -> Engine:
    """Return an engine for which every spec means one model."""
    return Engine(None, options, build_model=lambda spec, context: model, **others)
