"""Base URLs, keys and clients of services: which setting wins, and what a client is given."""

import asyncio

import pytest
from openai import AsyncOpenAI
from openai._models import FinalRequestOptions

from nip.errors import ParameterError
from nip.language_models.chat import ModelSpec
from nip.language_models.openai_address import OWN_ADDRESS, is_openai
from nip.language_models.provider_registry import ConnectionContext
from nip.language_models.providers.connection import (
    find_address,
    find_key,
    find_mock_api,
    open_client,
    open_mock_client,
)

SELF_HOSTED = "http://localhost:8000/v1"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "MY_OWN_SECRET"):
        monkeypatch.delenv(name, raising=False)


async def no_app(*_: object) -> None:
    raise AssertionError("No request should be sent.")


def test_the_address_is_that_of_the_spec_then_of_the_environment_then_of_openai(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = ModelSpec("openai", "m")
    assert find_address(spec) == "https://api.openai.com/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", " \n")
    assert find_address(spec) == "https://api.openai.com/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", " http://environment/v1\n")
    assert find_address(spec) == "http://environment/v1"
    assert find_address(ModelSpec("openai", "m", SELF_HOSTED)) == SELF_HOSTED


def test_an_at_sign_is_a_password_only_before_the_path() -> None:
    address = "http://localhost/v1/@me"
    assert find_address(ModelSpec("openai", "m", address)) == address
    with pytest.raises(ParameterError, match="base_url must not contain a user or a password"):
        find_address(ModelSpec("openai", "m", "http://me@localhost/v1"))


@pytest.mark.parametrize("address", ["http://localhost:0/v1", "https:///v1", "ftp://host/v1", "v1"])
def test_what_no_client_can_call_is_no_address(address: str) -> None:
    with pytest.raises(ParameterError, match="base_url must be a URL"):
        find_address(ModelSpec("openai", "m", address))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://API.OpenAI.com:443/v1", True),
        ("https://api.openai.com.example.org/v1", False),
        ("https://example.org/api.openai.com", False),
        ("https://eu.api.openai.com/v1", True),
        ("https://evil-api.openai.com/v1", False),
        ("https://evil.com\u3002api.openai.com/v1", False),
        ("https://openai.azure.com.example.org/v1", False),
    ],
)
def test_the_host_tells_whether_a_service_is_openai(address: str, expected: bool) -> None:
    assert is_openai(address) is expected


def test_a_key_named_by_the_spec_wins_and_is_stripped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "usual-key")
    monkeypatch.setenv("MY_OWN_SECRET", " own-key\n")
    assert find_key(ModelSpec("openai", "m", SELF_HOSTED, "MY_OWN_SECRET")) == "own-key"
    assert find_key(ModelSpec("openai", "m", OWN_ADDRESS)) == "usual-key"


@pytest.mark.parametrize(
    ("default", "address", "expected"),
    [
        ("", "https://api.openai.com/v1", "usual-key"),
        ("", "https://eu.api.openai.com/v1", "usual-key"),
        ("", "https://study.openai.azure.com/openai/v1", "usual-key"),
        ("", SELF_HOSTED, "none"),
        ("", "https://openrouter.ai/api/v1", "none"),
        ("", "https://api.openai.com.example.org/v1", "none"),
        # A key of the host in OPENAI_BASE_URL is that host's only: same scheme, name and port.
        ("https://gateway.example/v1", "https://gateway.example:443/v2", "usual-key"),
        ("https://gateway.example/v1", "http://gateway.example/v1", "none"),
        ("https://gateway.example/v1", "https://gateway.example:8443/v1", "none"),
        ("https://gateway.example/v1", "https://other.example/v1", "none"),
    ],
)
def test_the_default_key_goes_only_to_the_host_it_belongs_to(
    monkeypatch: pytest.MonkeyPatch, default: str, address: str, expected: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "usual-key")
    monkeypatch.setenv("OPENAI_BASE_URL", default)
    assert find_key(ModelSpec("openai", "m", address)) == expected
    client = open_client(ModelSpec("openai", "m", address), ConnectionContext())
    asyncio.run(client.close())
    assert client.api_key == expected


@pytest.mark.parametrize(
    ("default", "address", "message"),
    [
        ("https://gateway.example/v1", "https://api.openai.com/v1", "belongs to gateway.example"),
        ("", "http://api.openai.com/v1", "belongs to https addresses"),
    ],
)
def test_openai_without_a_key_of_its_own_is_refused(
    monkeypatch: pytest.MonkeyPatch, default: str, address: str, message: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "usual-key")
    monkeypatch.setenv("OPENAI_BASE_URL", default)
    with pytest.raises(ParameterError, match=message) as caught:
        find_key(ModelSpec("openai", "m", address))
    assert "api_key_variable" in str(caught.value)
    assert find_key(ModelSpec("openai", "m", address, "OPENAI_API_KEY")) == "usual-key"


def test_nothing_else_of_the_environment_reaches_another_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secrets = {
        "OPENAI_API_KEY": "usual-key",
        "OPENAI_ADMIN_KEY": "administrator",
        "OPENAI_ORG_ID": "organisation",
        "OPENAI_PROJECT_ID": "project",
        "OPENAI_CUSTOM_HEADERS": "Authorization: Bearer hidden\nx-secret: hidden",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    context = ConnectionContext(rehearsal_app=no_app, headers={"x-study": "1"})

    def sent_by(client: AsyncOpenAI) -> dict[str, str]:
        options = FinalRequestOptions(method="post", url="/chat/completions", json_data={})
        asyncio.run(client.close())
        return dict(client._build_request(options).headers)

    for client in (
        open_client(ModelSpec("openai", "m", SELF_HOSTED), context),
        open_mock_client(context),
    ):
        headers = sent_by(client)
        assert headers["authorization"] == "Bearer none"
        assert headers["x-study"] == "1"
        shown = str(headers)
        assert not any(word in shown for word in ("usual", "admin", "organ", "project", "hidden"))
    own = sent_by(open_client(ModelSpec("openai", "m", OWN_ADDRESS), context))
    assert (own["openai-organization"], own["openai-project"]) == ("organisation", "project")


def test_a_key_given_as_the_name_of_its_variable_is_not_repeated() -> None:
    key = "sk-proj-Zx81mVq7secret0000"
    with pytest.raises(ParameterError, match="needs a key") as caught:
        find_key(ModelSpec("openai", "m", SELF_HOSTED, key))
    assert key not in str(caught.value)


@pytest.mark.parametrize("key", ["two words", "schlüssel", "a\tb"])
def test_a_value_that_cannot_be_sent_is_no_key(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(ParameterError, match="variable OPENAI_API_KEY contains spaces") as caught:
        find_key(ModelSpec("openai", "m"))
    assert key not in str(caught.value)


@pytest.mark.parametrize(("timeout_s", "connect_s"), [(600.0, 30.0), (5.0, 5.0)])
def test_a_client_connects_fast_or_not_at_all_never_retries_and_never_waits_for_the_pool(
    timeout_s: float, connect_s: float
) -> None:
    context = ConnectionContext(timeout_s=timeout_s, headers={"x-study": "1"})
    client = open_client(ModelSpec("openai", "m", SELF_HOSTED), context)
    asyncio.run(client.close())
    timeout = client.timeout
    assert (timeout.read, timeout.connect, timeout.pool) == (timeout_s, connect_s, None)
    assert client.max_retries == 0
    assert client.default_headers["x-study"] == "1"
    assert (client.api_key, str(client.base_url)) == ("none", f"{SELF_HOSTED}/")


def test_a_client_of_the_mock_api_gets_neither_key_nor_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "usual-key")
    monkeypatch.setenv("OPENAI_BASE_URL", SELF_HOSTED)
    context = ConnectionContext(timeout_s=5.0, rehearsal_app=no_app, headers={"x-study": "1"})
    assert find_mock_api(context) is no_app
    client: AsyncOpenAI = open_mock_client(context)
    asyncio.run(client.close())
    assert (client.api_key, client.base_url.host) == ("none", "rehearsal")
    assert (client.max_retries, client.timeout) == (0, 5.0)
    assert client.default_headers["x-study"] == "1"
