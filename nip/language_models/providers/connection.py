"""Clients of services that speak OpenAI's interface: where they are, and with which key.

A key is read from the environment when a client is opened and lives in that client only.
"""

import os
import ssl
from functools import cache
from urllib.parse import urlsplit

import httpx2
from openai import AsyncOpenAI, DefaultAsyncHttpxClient

from nip.errors import ParameterError
from nip.language_models.chat import ModelSpec
from nip.language_models.provider_registry import AsgiApp, ConnectionContext
from nip.utils.secrets import scrub

KEY_VARIABLE = "OPENAI_API_KEY"
"""Where the key is looked for when a spec names no variable."""

ADDRESS_VARIABLE = "OPENAI_BASE_URL"
"""Where the address is looked for when a spec gives none."""

OWN_ADDRESS = "https://api.openai.com/v1"
"""The service that is asked when nothing gives an address."""

NO_KEY = "none"
"""Sent in the place of a key to a service that wants none."""

REHEARSAL_ADDRESS = "http://rehearsal/v1"
"""An address that is never looked up: the application in this process answers."""

_OPENAI_HOSTS = ("api.openai.com", ".openai.azure.com")
_CONNECT_TIMEOUT_S = 30.0


def find_address(spec: ModelSpec) -> str:
    """Return the address of the service: of the spec, of the environment, or OpenAI's own.

    Raises
    ------
    ParameterError
        If it is no address of the web, or holds a password.
    """
    address = spec.base_url or os.environ.get(ADDRESS_VARIABLE, "").strip() or OWN_ADDRESS
    name = "base_url" if spec.base_url else f"The environment variable {ADDRESS_VARIABLE}"
    if "@" in address.partition("://")[2].partition("/")[0]:
        raise ParameterError(
            f"{name} must not hold a user or a password, because it is stored with the run. "
            f"Put the key into an environment variable and name that with api_key_variable."
        )
    if not _is_address(address):
        raise ParameterError(
            f"{name} must be an address such as http://localhost:8000/v1, got {address!r}."
        )
    return address


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        is_complete = parts.scheme in ("http", "https") and bool(parts.hostname)
        # Looking at these raises where the port is none, or a character is in no address.
        return is_complete and parts.port != 0 and bool(httpx2.URL(text).host)
    except (ValueError, httpx2.InvalidURL):
        return False


def is_openai(address: str) -> bool:
    """Tell whether an address is one of OpenAI's own or of its models at Azure."""
    return (urlsplit(address).hostname or "").endswith(_OPENAI_HOSTS)


def find_key(spec: ModelSpec) -> str:
    """Return the key for a service: of the variable that the spec names, else of the usual one.

    Raises
    ------
    ParameterError
        If there is none and the service is OpenAI's own or the spec names a variable, or if it
        cannot be a key. No message shows it.
    """
    variable = spec.api_key_variable or KEY_VARIABLE
    key = os.environ.get(variable, "").strip()
    if not key:
        # Servers of one's own want no key.
        if spec.api_key_variable is None and not is_openai(find_address(spec)):
            return NO_KEY
        raise ParameterError(_missing_key(spec, variable))
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ParameterError(
            f"The environment variable {variable} holds spaces or characters that no key has. "
            f"Set it to the key alone."
        )
    return key


def _missing_key(spec: ModelSpec, variable: str) -> str:
    way_out = (
        "leave api_key_variable out if the service needs no key"
        if spec.api_key_variable
        else "give base_url, the address of a server that needs none"
    )
    # Some give the key itself where its variable is to be named.
    return scrub(
        f"The model {spec.model_name!r} needs a key, but the environment variable {variable} is "
        f"not set. Set it; or {way_out}; or set use_dummy_api=true to rehearse without a service."
    )


def open_client(spec: ModelSpec, context: ConnectionContext) -> AsyncOpenAI:
    """Open a client of the service that a spec names.

    It never repeats a request by itself: a repeat may cost money, and the engine decides.

    Raises
    ------
    ParameterError
        If address or key are missing or unusable.
    """
    # How many requests are under way is the engine's to decide, so the pool sets no limit.
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    timeout = httpx2.Timeout(
        context.timeout_s, connect=min(_CONNECT_TIMEOUT_S, context.timeout_s), pool=None
    )
    return AsyncOpenAI(
        api_key=find_key(spec),
        base_url=find_address(spec),
        max_retries=0,
        timeout=timeout,
        default_headers=context.headers,
        http_client=DefaultAsyncHttpxClient(
            limits=limits, timeout=timeout, verify=_trusted_authorities()
        ),
    )


@cache
def _trusted_authorities() -> ssl.SSLContext:
    """Return whom to trust about the identity of servers; reading it takes tens of ms, so once."""
    return httpx2.create_ssl_context()


def find_rehearsal_app(context: ConnectionContext) -> AsgiApp:
    """Return the application to rehearse with.

    Raises
    ------
    ParameterError
        If there is none.
    """
    if context.rehearsal_app is None:
        raise ParameterError(
            "The provider rehearsal needs an application that answers, got None. Give "
            "ConnectionContext(rehearsal_app=...), or choose another provider."
        )
    return context.rehearsal_app


def open_rehearsal_client(context: ConnectionContext) -> AsyncOpenAI:
    """Open a client whose requests an application in this process answers. It has no key.

    Raises
    ------
    ParameterError
        If the context has no application.
    """
    transport = httpx2.ASGITransport(app=find_rehearsal_app(context))
    return AsyncOpenAI(
        api_key=NO_KEY,
        base_url=REHEARSAL_ADDRESS,
        max_retries=0,
        timeout=context.timeout_s,
        default_headers=context.headers,
        http_client=DefaultAsyncHttpxClient(transport=transport),
    )
