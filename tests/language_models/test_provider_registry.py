"""Providers are found by case-insensitive names, and new ones can be registered."""

from collections.abc import Sequence

import pytest

from nip.errors import PluginError, UnknownNameError
from nip.language_models.chat import ChatMessage, Completion, ModelSpec, Sampling, TokenUsage
from nip.language_models.provider_registry import (
    ConnectionContext,
    ProvidedChatModel,
    build_chat_model,
    chat_provider_registry,
    check_access,
    find_chat_provider,
    register_chat_provider,
)


def test_the_built_in_providers_are_registered() -> None:
    assert {"local", "openai", "rehearsal", "scripted"} <= set(chat_provider_registry.names())


def test_capital_letters_make_no_difference() -> None:
    assert find_chat_provider("OpenAI") is find_chat_provider("openai")


def test_an_unknown_provider_is_named_with_the_closest() -> None:
    with pytest.raises(UnknownNameError, match=r"no model provider 'opnai'. Did you mean 'openai'"):
        check_access(ModelSpec("opnai", "gpt-4o-mini"))


def test_a_provider_can_be_added() -> None:
    @register_chat_provider("Parrot")
    class Parrot(ProvidedChatModel):
        async def complete(self, messages: Sequence[ChatMessage], sampling: Sampling) -> Completion:
            return Completion(messages[-1]["content"], "stop", TokenUsage(), "parrot")

    try:
        spec = ModelSpec("parrot", "grey")
        check_access(spec)
        model = build_chat_model(spec, ConnectionContext())
        assert isinstance(model, Parrot)
        assert model.spec == spec
        assert "grey" in repr(model)
    finally:
        chat_provider_registry.unregister("parrot")


@pytest.mark.parametrize(
    "other",
    [type("Half", (), {"check_access": classmethod(lambda *_: None)}), lambda *_: "accept", 3],
    ids=["any class", "a function", "a number"],
)
def test_what_is_no_class_of_chat_models_is_not_registered(other) -> None:
    with pytest.raises(PluginError, match="The model provider 'half' must be a class derived from"):
        register_chat_provider("half")(other)
    assert "half" not in chat_provider_registry


def test_an_incomplete_provider_is_refused_before_a_request() -> None:
    register_chat_provider("half")(type("Half", (ProvidedChatModel,), {}))
    try:
        with pytest.raises(PluginError, match=r"model provider 'half' is incomplete.*complete"):
            check_access(ModelSpec("half", "m"))
    finally:
        chat_provider_registry.unregister("half")
