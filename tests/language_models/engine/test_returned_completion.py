"""What a provider returns instead of a completion is named in one message."""

import pytest

from nip.errors import ParameterError
from nip.language_models.chat import Completion, TokenUsage
from tests.language_models.models import FakeModel, call, engine_for
from tests.language_models.virtual_time import run


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("Decision: accept", "must return a Completion, got 'Decision: accept'"),
        (("text", 3), "must return a Completion, got"),
        (Completion("a", "stop", (1, 2), "m"), r"usage is a TokenUsage.*got \(1, 2\)"),
        (Completion("a", "stop", TokenUsage(1, -1), "m"), "whole numbers of at least 0"),
        (Completion("a", "stop", TokenUsage(1, None), "m"), "is_usage_known=False"),
        (Completion("a", "end", TokenUsage(), "m"), "finish_reason is one of 'stop'.*got 'end'"),
    ],
)
def test_the_value_and_the_provider_are_named(returned, message: str) -> None:
    async def ask() -> None:
        async with engine_for(FakeModel(returned)) as engine:
            await engine.complete(call())

    with pytest.raises(
        ParameterError, match=f"complete of the model provider 'scripted'.*{message}"
    ):
        run(ask())


@pytest.mark.parametrize("name", ["text", "model", "reasoning"])
def test_texts_of_a_completion_are_strings(name: str) -> None:
    fields = {"text": "a", "finish_reason": "stop", "usage": TokenUsage(), "model": "m", name: None}
    with pytest.raises(ParameterError, match=f"The {name} of a Completion must be a string"):
        Completion(**fields)
