"""Encode a conversation as the prompt tokens of a model."""

from collections.abc import Sequence
from typing import Any

from nip.language_models.chat import ChatMessage, Role
from nip.language_models.errors import BadRequestError


def encode_prompt(tokenizer: Any, messages: Sequence[ChatMessage]) -> list[int]:
    """Return the tokens of a conversation, up to the start of the assistant's answer.

    The format is the chat template of the tokenizer, or without one a line ``role: content`` per
    message. If the template rejects the conversation, system messages and consecutive messages of
    one role are joined, and it is applied again; if it rejects that too, ``BadRequestError`` is
    raised.
    """
    if tokenizer.chat_template is None:
        return list(tokenizer(plain_prompt(messages))["input_ids"])
    text = render(tokenizer, messages, is_prompt=True)
    if text is None:
        roles = ", ".join(message["role"] for message in messages)
        raise BadRequestError(
            f"The chat template of the model rejects a conversation with the roles {roles}. Fix "
            f"the template in the folder of the model."
        )
    # The template already contains the special tokens.
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def plain_prompt(messages: Sequence[ChatMessage]) -> str:
    """Format a conversation for a model without a chat template."""
    lines = [f"{message['role']}: {message['content']}\n" for message in messages]
    return "".join([*lines, "assistant:"])


def join_messages(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """Convert system messages to user messages, and join consecutive ones by an empty line."""
    joined: list[ChatMessage] = []
    for message in messages:
        role: Role = "assistant" if message["role"] == "assistant" else "user"
        if joined and joined[-1]["role"] == role:
            content = f"{joined[-1]['content']}\n\n{message['content']}"
            joined[-1] = ChatMessage(role=role, content=content)
        else:
            joined.append(ChatMessage(role=role, content=message["content"]))
    return joined


def render(tokenizer: Any, messages: Sequence[ChatMessage], *, is_prompt: bool) -> str | None:
    """Apply the chat template; None if it rejects the conversation in both forms.

    ``is_prompt`` adds the start of the assistant's answer.
    """
    text = _apply_template(tokenizer, messages, is_prompt)
    return text or _apply_template(tokenizer, join_messages(messages), is_prompt)


def _apply_template(tokenizer: Any, messages: Sequence[ChatMessage], is_prompt: bool) -> str | None:
    # Installed with transformers, which uses it to render templates.
    from jinja2 import TemplateError

    try:
        text: str = tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=is_prompt
        )
    except TemplateError:
        return None
    return text
