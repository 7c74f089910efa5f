"""Which base URLs belong to OpenAI, and which one is used if a model has none."""

import os
from urllib.parse import urlsplit

ADDRESS_VARIABLE = "OPENAI_BASE_URL"
"""Environment variable of the base URL, used if a model has none."""

OWN_ADDRESS = "https://api.openai.com/v1"
"""Default base URL."""

_OPENAI_HOSTS = (".api.openai.com", ".openai.azure.com")


def address_of(base_url: str | tuple[str, ...] | None) -> str:
    """Return the base URL of a model: its own, that of the environment, or the default.

    Of several replicas it is the first.
    """
    own = base_url[0] if isinstance(base_url, tuple) else base_url
    return own or os.environ.get(ADDRESS_VARIABLE, "").strip() or OWN_ADDRESS


def is_openai(address: str) -> bool:
    """Tell whether a base URL belongs to OpenAI or Azure OpenAI."""
    try:
        host = urlsplit(address).hostname
    except ValueError:  # Invalid addresses are refused where they are used.
        return False
    return f".{host or ''}".endswith(_OPENAI_HOSTS)
