"""The example provider counts the tokens of both of its requests."""

import asyncio
import importlib.util
from types import ModuleType

import pytest

from nip.language_models.chat import ChatMessage, Completion, ModelSpec, Sampling, TokenUsage
from nip.language_models.errors import OverloadError
from nip.language_models.provider_registry import (
    ConnectionContext,
    build_chat_model,
    chat_provider_registry,
)
from tests.doc.pages import EXAMPLES
from tests.language_models.models import FakeModel

QUESTION = [ChatMessage(role="user", content="Is the loop right?")]
FIRST = Completion("Yes.", "stop", TokenUsage(5, 3), "a-model", reported_cost=0.5)
SECOND = Completion("No.", "length", TokenUsage(10, 20), "a-model", reported_cost=0.25)


@pytest.fixture
def example(monkeypatch):
    spec = importlib.util.spec_from_file_location("new_provider", EXAMPLES / "new_provider.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    chat_provider_registry.unregister("think_twice")


def ask(example: ModuleType, monkeypatch, *answers) -> Completion:
    inner = FakeModel(*answers)
    monkeypatch.setattr(example, "build_chat_model", lambda _spec, _context: inner)
    monkeypatch.setattr(example, "check_access", lambda _spec, _context: None)
    model = build_chat_model(ModelSpec("think_twice", "openai:a-model"), ConnectionContext())
    return asyncio.run(model.complete(QUESTION, Sampling()))


def test_both_answers_are_paid_for(example, monkeypatch) -> None:
    completion = ask(example, monkeypatch, FIRST, SECOND)
    assert (completion.text, completion.finish_reason) == ("No.", "length")
    assert (completion.usage, completion.reported_cost) == (TokenUsage(15, 23), 0.75)


def test_the_first_answer_is_paid_for_if_the_second_request_fails(example, monkeypatch) -> None:
    with pytest.raises(OverloadError) as caught:
        ask(example, monkeypatch, FIRST, OverloadError("busy"))
    error = caught.value
    assert (error.is_charged, error.usage, error.reported_cost) == ("yes", TokenUsage(5, 3), 0.5)
