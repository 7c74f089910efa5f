"""Parse the messages of a chat completion request."""

from typing import Any, cast, get_args

from nip.language_models.chat import ChatMessage, Role
from nip.language_models.server.errors import ApiError, invalid

# Newer models call the role of the system message "developer".
_ROLE_NAMES = {"developer": "system"}

# Fields of messages without influence on a completion. Clients send back whole messages of
# responses, whose other fields are empty.
_IGNORED = ("name", "role", "content", "refusal")


def read_messages(value: Any) -> tuple[ChatMessage, ...]:
    """Return the messages of a conversation, or raise ``ApiError``."""
    if not isinstance(value, list) or not value:
        raise invalid("messages", "messages must be a list of at least one message.")
    return tuple(_read_message(each, number) for number, each in enumerate(value))


def _read_message(value: Any, number: int) -> ChatMessage:
    at = f"messages[{number}]"
    if not isinstance(value, dict):
        raise invalid(at, f"{at} must be an object with role and content.")
    given_role = str(value.get("role"))
    role = _ROLE_NAMES.get(given_role, given_role)
    if role not in get_args(Role):
        raise invalid(f"{at}.role", f"{at}.role must be one of system, user, assistant.")
    for name, given in value.items():
        if name not in _IGNORED and given not in (None, [], {}):
            raise ApiError(
                400,
                f"Unsupported value: the mock API does not support {at}.{name}. Leave it out.",
                code="unsupported_parameter",
                param=f"{at}.{name}",
            )
    if not isinstance(value.get("name") or "", str):
        raise invalid(f"{at}.name", f"{at}.name must be a string.")
    content = value.get("content")
    if content is None and role == "assistant":
        # The service sends null for a message without text, and gets it back as history.
        content = value.get("refusal") or ""
    return ChatMessage(role=cast(Role, role), content=_read_content(content, at, role))


def _read_content(value: Any, at: str, role: str) -> str:
    """Return a text; a list of text parts is concatenated."""
    parts = [{"type": "text", "text": value}] if isinstance(value, str) else value
    if not isinstance(parts, list) or not parts:
        raise invalid(f"{at}.content", f"{at}.content must be a string or a list of text parts.")
    return "".join(_read_part(part, at, role) for part in parts)


def _read_part(part: Any, at: str, role: str) -> str:
    kind = part.get("type") if isinstance(part, dict) else None
    kinds = ("text", "refusal") if role == "assistant" else ("text",)
    text = part.get(kind) if kind in kinds else None
    if not isinstance(text, str):
        raise invalid(f"{at}.content", f"{at}.content must contain only text parts.")
    return text
