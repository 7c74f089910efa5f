"""The registry of providers, under the name of the folder that it fills."""

from nip.language_models.provider_registry import (
    ConnectionContext,
    ProvidedChatModel,
    build_chat_model,
    chat_provider_registry,
    check_access,
    find_chat_provider,
    register_chat_provider,
)

__all__ = [
    "ConnectionContext",
    "ProvidedChatModel",
    "build_chat_model",
    "chat_provider_registry",
    "check_access",
    "find_chat_provider",
    "register_chat_provider",
]
