"""Base URL, API key and HTTP client of OpenAI-compatible services.

An API key is read from the environment when a client is opened, and stored only in that client.
"""

import os
import ssl
from functools import cache
from urllib.parse import urlsplit

import httpx2
from openai import AsyncOpenAI, DefaultAioHttpClient, DefaultAsyncHttpxClient

from nip.errors import ParameterError
from nip.language_models.chat import ModelSpec
from nip.language_models.openai_address import ADDRESS_VARIABLE, address_of, is_openai
from nip.language_models.provider_registry import AsgiApp, ConnectionContext
from nip.language_models.providers.client_pool import REQUESTS_PER_CLIENT
from nip.utils.secrets import find_secret, scrub

KEY_VARIABLE = "OPENAI_API_KEY"
"""Default environment variable of the API key."""

NO_KEY = "none"
"""Value sent as API key to a service that needs none."""

MOCK_API_ADDRESS = "http://rehearsal/v1"
"""Base URL of the mock API, which is called in process; the name is never resolved."""

_CONNECT_TIMEOUT_S = 30.0


def find_address(spec: ModelSpec) -> str:
    """Return the base URL: that of the spec, of the environment, or the default.

    Raise ``ParameterError`` if it is not an HTTP URL, or contains a password.
    """
    address = address_of(spec.base_url)
    name = "base_url" if spec.base_url else f"The environment variable {ADDRESS_VARIABLE}"
    if "@" in address.partition("://")[2].partition("/")[0]:
        raise ParameterError(
            f"{name} must not contain a user or a password, because it is stored with the run. "
            f"Put the key into an environment variable and set api_key_variable to its name."
        )
    if find_secret(address):
        raise ParameterError(
            f"{name} must not contain a key, because it is stored with the run. Put the key into "
            "an environment variable and set api_key_variable to its name."
        )
    if not _is_address(address):
        raise ParameterError(
            f"{name} must be a URL such as http://localhost:8000/v1, got {address!r}."
        )
    return address


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        is_complete = parts.scheme in ("http", "https") and bool(parts.hostname)
        # Accessing the port and parsing raise for invalid ports and characters.
        return is_complete and parts.port != 0 and bool(httpx2.URL(text).host)
    except (ValueError, httpx2.InvalidURL):
        return False


def find_key(spec: ModelSpec) -> str:
    """Return the API key for the host of a spec; ``NO_KEY`` if there is none for it.

    A key goes only to the host that it belongs to: the key in a variable that the spec names to the
    address of the spec, and the key in ``OPENAI_API_KEY`` to the host of ``OPENAI_BASE_URL``, or to
    OpenAI if that is not set.

    Raise ``ParameterError``, without the key, if the variable is not set although the spec names it
    or the service is OpenAI's, if the value cannot be a key, or if OpenAI's key would be sent
    unencrypted.
    """
    address = find_address(spec)
    if spec.api_key_variable is None and not owns_default_key(address):
        # Self-hosted servers usually need no key.
        if is_openai(address):
            raise ParameterError(_key_of_another_host(spec, address))
        return NO_KEY
    variable = spec.api_key_variable or KEY_VARIABLE
    key = os.environ.get(variable, "").strip()
    if not key:
        if spec.api_key_variable is None and not is_openai(address):
            return NO_KEY
        raise ParameterError(_missing_key(spec, variable))
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ParameterError(
            f"The environment variable {variable} contains spaces or other characters that no API "
            f"key has. Set it to the key alone."
        )
    return key


def owns_default_key(address: str) -> bool:
    """Tell whether the key in ``OPENAI_API_KEY`` belongs to the host of a base URL."""
    default = os.environ.get(ADDRESS_VARIABLE, "").strip()
    if default:
        return _origin(address) == _origin(default)
    return is_openai(address) and urlsplit(address).scheme == "https"


def _origin(address: str) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port of a base URL."""
    try:
        parts = urlsplit(address)
        usual = {"http": 80, "https": 443}.get(parts.scheme)
        return parts.scheme, parts.hostname, parts.port or usual
    except ValueError:
        return address, None, None


def _key_of_another_host(spec: ModelSpec, address: str) -> str:
    default = os.environ.get(ADDRESS_VARIABLE, "").strip()
    owner = f"{urlsplit(default).hostname} ({ADDRESS_VARIABLE})" if default else "https addresses"
    return scrub(
        f"The model {spec.model_name!r} at {address} needs a key, and the key in {KEY_VARIABLE} "
        f"belongs to {owner}, so it is not sent there. Set api_key_variable to the environment "
        "variable with the key of this address, or correct base_url."
    )


def _missing_key(spec: ModelSpec, variable: str) -> str:
    way_out = (
        "leave api_key_variable out if the service needs no key"
        if spec.api_key_variable
        else "set base_url to a server that needs no key"
    )
    # Users sometimes pass the key itself as api_key_variable.
    return scrub(
        f"The model {spec.model_name!r} needs a key, but the environment variable {variable} is "
        f"not set. Set it; or {way_out}; or use the mock API: use_dummy_api=true in an "
        "experiment, the model rehearsal:anything in an analysis."
    )


def open_client(spec: ModelSpec, context: ConnectionContext) -> AsyncOpenAI:
    """Open a client of the service of a spec.

    The client never retries by itself: retries cost money and are controlled by the engine.
    """
    # The engine limits concurrency, so the connection pool must not.
    limits = httpx2.Limits(max_connections=REQUESTS_PER_CLIENT)
    timeout = httpx2.Timeout(
        context.timeout_s, connect=min(_CONNECT_TIMEOUT_S, context.timeout_s), pool=None
    )
    address = find_address(spec)
    client = AsyncOpenAI(
        api_key=find_key(spec),
        base_url=address,
        max_retries=0,
        timeout=timeout,
        default_headers=context.headers,
        # Connections of aiohttp take half the time of those of httpx2.
        http_client=DefaultAioHttpClient(
            limits=limits, timeout=timeout, verify=_trusted_authorities()
        ),
    )
    _drop_environment(client, context, keeps_account=owns_default_key(address))
    return client


def _drop_environment(
    client: AsyncOpenAI, context: ConnectionContext, *, keeps_account: bool = False
) -> None:
    """Remove what the SDK reads from the environment by itself and would send to any host.

    These are the organisation and project of OpenAI's account, an administrator's key, and
    ``OPENAI_CUSTOM_HEADERS``, which may contain a key.
    """
    client.admin_api_key = None
    if not keeps_account:
        client.organization = client.project = None
        client._custom_headers = dict(context.headers)


@cache
def _trusted_authorities() -> ssl.SSLContext:
    """Return the TLS context; cached, because loading the certificates takes tens of ms."""
    return httpx2.create_ssl_context()


def find_mock_api(context: ConnectionContext) -> AsgiApp:
    """Return the mock API of a context, or raise ``ParameterError``."""
    if context.rehearsal_app is None:
        raise ParameterError(
            "The provider rehearsal needs a mock API, got rehearsal_app=None. Pass "
            "ConnectionContext(rehearsal_app=create_app()), or choose another provider."
        )
    return context.rehearsal_app


def open_mock_client(context: ConnectionContext) -> AsyncOpenAI:
    """Open a client that calls the mock API in process, without an API key."""
    transport = httpx2.ASGITransport(app=find_mock_api(context))
    client = AsyncOpenAI(
        api_key=NO_KEY,
        base_url=MOCK_API_ADDRESS,
        max_retries=0,
        timeout=context.timeout_s,
        default_headers=context.headers,
        http_client=DefaultAsyncHttpxClient(transport=transport),
    )
    _drop_environment(client, context)
    return client
