"""Conversations are formatted by the chat template of the model."""

import pytest

from nip.language_models.chat import ChatMessage
from nip.language_models.errors import BadRequestError
from nip.language_models.local_model.prompt import encode_prompt
from tests.language_models.local_model.tiny_model import STRICT_TEMPLATE, make_tokenizer

MESSAGES = [
    ChatMessage(role="system", content="S"),
    ChatMessage(role="user", content="U"),
    ChatMessage(role="user", content="V"),
    ChatMessage(role="assistant", content="A"),
    ChatMessage(role="user", content="W"),
]


def prompt(chat_template: str | None, messages: list[ChatMessage]) -> str:
    tokenizer = make_tokenizer(chat_template)
    return tokenizer.decode(encode_prompt(tokenizer, messages))


def test_the_template_gives_the_form() -> None:
    template = "{% for m in messages %}[{{ m.role }}] {{ m.content }} {% endfor %}>"
    expected = "[system] S [user] U [user] V [assistant] A [user] W >"
    assert prompt(template, MESSAGES) == expected


def test_without_a_template_each_message_has_a_line() -> None:
    expected = "system: S\nuser: U\nuser: V\nassistant: A\nuser: W\nassistant:"
    assert prompt(None, MESSAGES) == expected


def test_a_strict_template_gets_messages_joined() -> None:
    expected = "<|user|>S\n\nU\n\nV<|assistant|>A<|user|>W<|assistant|>"
    assert prompt(STRICT_TEMPLATE, MESSAGES) == expected


def test_a_conversation_that_no_form_fits_is_refused() -> None:
    with pytest.raises(BadRequestError, match="rejects a conversation with the roles assistant"):
        prompt(STRICT_TEMPLATE, MESSAGES[3:])
