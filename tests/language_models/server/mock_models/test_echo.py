"""The mock model `echo` repeats what the user said last."""

import asyncio

import pytest

from nip.errors import ParameterError
from nip.language_models.chat import ChatMessage, Sampling
from nip.language_models.server.mock_models.echo import EchoModel
from nip.language_models.server.mock_models.mock_model import (
    MockAnswer,
    MockRequest,
    TrainingExample,
)


def answer(*messages: tuple[str, str]) -> MockAnswer:
    conversation = [ChatMessage(role=role, content=content) for role, content in messages]
    return asyncio.run(EchoModel().answer(MockRequest("m", conversation, Sampling(), 0)))


def test_the_last_message_of_the_user_is_repeated_even_if_others_follow() -> None:
    said = answer(("user", "first"), ("user", "second"), ("assistant", "no"), ("system", "stop"))
    assert said == MockAnswer("second", "stop")


def test_without_a_user_nothing_is_said() -> None:
    assert answer(("system", "Be brief.")).text == ""


def test_training_changes_nothing() -> None:
    example = TrainingExample((ChatMessage(role="user", content="a"),), "b")
    assert EchoModel().train({"k": "v"}, [example], "supervised") == {"k": "v"}
    assert EchoModel().train(None, [example], "dpo") is None


def test_a_file_is_refused_with_the_model_that_takes_one() -> None:
    with pytest.raises(ParameterError, match=r"brain_file='rules.yaml'.*brain='dialogue'"):
        EchoModel("rules.yaml")
