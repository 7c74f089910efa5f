"""The application answers unknown paths and wrong settings in OpenAI's format."""

import asyncio
import sqlite3

import httpx2
import pytest

from nip.language_models.server import EndpointOptions, create_app


def ask(method: str, path: str, *, headers: dict | None = None, body=None, **options):
    """Send one request to a fresh application; return the response and the endpoint's faults."""

    async def run():
        app = create_app(EndpointOptions(brain="echo", **options))
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://mock") as client:
            response = await client.request(method, path, headers=headers, json=body)
        rules = [rule.to_text() for rule in app.state.endpoint.faults.rules]
        await app.state.endpoint.aclose()
        return response, rules

    return asyncio.run(run())


def test_an_unknown_path_is_named_in_an_error_of_the_api() -> None:
    response, _ = ask("GET", "/v1/embeddings")
    assert response.status_code == 404
    assert response.json()["error"]["message"] == "Not Found: GET /v1/embeddings"
    assert response.json()["error"]["type"] == "invalid_request_error"


def test_a_wrong_method_is_answered_with_the_allowed_one() -> None:
    response, _ = ask("DELETE", "/v1/chat/completions")
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert "DELETE /v1/chat/completions" in response.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/v1/models", "/v1/files/file-1", "/admin/counters"])
def test_every_route_asks_for_the_key(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("KEY_OF_THE_MOCK", "right")
    wrong = {"authorization": "Bearer wrong"}
    response, _ = ask("GET", path, headers=wrong, api_key_variable="KEY_OF_THE_MOCK")
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "invalid_api_key"
    right = {"authorization": "Bearer right"}
    response, _ = ask("GET", path, headers=right, api_key_variable="KEY_OF_THE_MOCK")
    assert response.status_code != 401


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "faults"),
        ({"faults": ["quota", 1]}, "faults"),
        ({"faults": ["quota"], "fault_rate": True}, "fault_rate"),
        ({"faults": ["quota"], "fault_rate": 1.5}, "fault_rate"),
        ({"faults": ["quota"], "fault_rate": "0.5"}, "fault_rate"),
        ({"faults": ["quota"], "seed": 1.0}, "seed"),
        ({"faults": ["quota"], "seed": True}, "seed"),
    ],
)
def test_a_refused_fault_setting_names_its_parameter_and_changes_nothing(body, param: str) -> None:
    response, rules = ask("POST", "/admin/faults", body=body, faults=("overload",), fault_rate=0.25)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param
    assert rules == ["overload?rate=0.25"]


def test_faults_without_a_rate_keep_that_of_the_options() -> None:
    response, rules = ask("POST", "/admin/faults", body={"faults": ["quota"]}, fault_rate=0.75)
    assert response.json()["faults"] == rules == ["quota?rate=0.75"]
    assert {"quota", "overload"} <= set(response.json()["known"])


def test_the_shutdown_of_a_server_closes_the_endpoint() -> None:
    async def run() -> None:
        app = create_app()
        async with app.router.lifespan_context(app):
            assert app.state.endpoint.counters().num_requests == 0
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            app.state.endpoint.counters()

    asyncio.run(run())
