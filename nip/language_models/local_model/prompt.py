"""From a conversation to the tokens that a model continues."""

from collections.abc import Sequence
from typing import Any

from nip.language_models.chat import ChatMessage, Role
from nip.language_models.errors import BadRequestError


def encode_prompt(tokenizer: Any, messages: Sequence[ChatMessage]) -> list[int]:
    """Return the tokens of a conversation, up to where the assistant's answer begins.

    The tokenizer's chat template decides the form. Without one it is a line ``role: content`` for
    each message. A template that refuses system messages, or two messages of one role in a row,
    gets them joined.

    Raises
    ------
    BadRequestError
        If the template refuses the conversation all the same.
    """
    if tokenizer.chat_template is None:
        return list(tokenizer(plain_prompt(messages))["input_ids"])
    text = _render(tokenizer, messages) or _render(tokenizer, join_messages(messages))
    if text is None:
        roles = ", ".join(message["role"] for message in messages)
        raise BadRequestError(
            f"The chat template of the model refuses a conversation with the roles {roles}. Mend "
            f"the template in the model's folder."
        )
    # The template has put the special tokens where they belong.
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def plain_prompt(messages: Sequence[ChatMessage]) -> str:
    """Write a conversation for a model that was never taught a form."""
    lines = [f"{message['role']}: {message['content']}\n" for message in messages]
    return "".join([*lines, "assistant:"])


def join_messages(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """Turn system messages into the user's and join neighbours of one role by an empty line."""
    joined: list[ChatMessage] = []
    for message in messages:
        role: Role = "assistant" if message["role"] == "assistant" else "user"
        if joined and joined[-1]["role"] == role:
            content = f"{joined[-1]['content']}\n\n{message['content']}"
            joined[-1] = ChatMessage(role=role, content=content)
        else:
            joined.append(ChatMessage(role=role, content=message["content"]))
    return joined


def _render(tokenizer: Any, messages: Sequence[ChatMessage]) -> str | None:
    # Comes with transformers, which renders its templates with it.
    from jinja2 import TemplateError

    try:
        text: str = tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=True
        )
    except TemplateError:
        return None
    return text
