"""No key is found in anything that a run leaves, prints or raises."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from nip.language_models.errors import AuthenticationError, LanguageModelError
from tests.command_line_process import run_command_line
from tests.end_to_end.rehearsals import records, result_of, run_quietly
from tests.end_to_end.text_runs import Endpoint, endpoint
from tests.fork_server import Ending
from tests.text_experiments import make_text_params

# Put together here, because a run stores how the code differs from its last commit.
KEY, WRONG_KEY = ("-".join((animal, "crossing", "at", "midnight")) for animal in ("zebra", "okapi"))
"""Keys that do not look like some, so that only their being keys can betray them."""

VARIABLES = {"the usual": "OPENAI_API_KEY", "an odd": "ENTRANCE"}

each_variable = pytest.mark.parametrize("variable", VARIABLES.values(), ids=VARIABLES)


@pytest.fixture(scope="module")
def service() -> Iterator[Endpoint]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEY_OF_THE_SERVICE", KEY)
        with endpoint("--api-key-variable", "KEY_OF_THE_SERVICE", "--retry-after", "0.05") as it:
            yield it


@contextmanager
def echo(status: int, form: str) -> Iterator[str]:
    """Serve answers of a status which repeat the key they were sent; give the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            body = form.replace(
                "KEY", self.headers["authorization"].removeprefix("Bearer ")
            ).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def agent(address: str, variable: str) -> dict[str, Any]:
    """Return parameters of an agent with a key."""
    return {"base_url": f"{address}/v1", "api_key_variable": variable}


def start_on_the_command_line(
    folder: Path, address: str, variable: str, *overrides: str, key: str = KEY
) -> Ending:
    """Run a small experiment as a user does, with the key in the environment."""
    parameters = agent(address, variable)
    return run_command_line(
        [
            "experiment=cv_nip_ei_rehearsal",
            "agents._default.use_dummy_api=false",
            f"agents._default.base_url={parameters['base_url']}",
            f"agents._default.api_key_variable={variable}",
            "rl.num_iterations=1",
            "rl.rollouts_per_iteration=4",
            "text_rl.test_scheme=none",
            "run_id=run",
            "settings.runs_dir=.",
            *overrides,
        ],
        folder,
        **{variable: key},
    )


def assert_not_in(folder: Path, *secrets: str) -> None:
    """Search every byte of a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 5
    for path in files:
        content = path.read_bytes()
        for secret in secrets:
            assert secret.encode() not in content, path


def assert_not_told(outcome: Ending, secret: str) -> None:
    """Search what was printed."""
    assert secret not in outcome.stdout
    assert secret not in outcome.stderr


def assert_not_within(error: BaseException | None, secret: str) -> None:
    """Search an error, its causes and its attributes."""
    while error is not None:
        told = [str(error), repr(error), repr(vars(error)), *map(repr, error.args)]
        assert not any(secret in text for text in told)
        # The errors of clients hold the request, and that the key in its headers.
        assert not hasattr(error, "request")
        assert not hasattr(error, "response")
        error = error.__cause__ or error.__context__


@each_variable
def test_a_run_leaves_no_key(
    variable: str, tmp_path: Path, service: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, KEY)
    params = make_text_params(agents={"_default": agent(service.address, variable)})
    run_quietly(params, tmp_path, poll_seconds=0.02)
    assert len(records(tmp_path)) == 24
    assert_not_in(tmp_path, KEY)


def test_a_run_prints_no_key(tmp_path: Path, service: Endpoint) -> None:
    done = start_on_the_command_line(tmp_path, service.address, "ENTRANCE")
    assert done.exit_code == 0, done.stderr
    assert_not_told(done, KEY)
    assert_not_in(tmp_path, KEY)
    environment = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert "ENTRANCE" not in {name for start in environment["starts"] for name in start}


def test_a_wrong_key_is_not_told(tmp_path: Path, service: Endpoint) -> None:
    refused = start_on_the_command_line(tmp_path, service.address, "ENTRANCE", key=WRONG_KEY)
    assert refused.exit_code == 2
    assert "Check the key in the environment variable ENTRANCE" in refused.stderr
    assert_not_told(refused, WRONG_KEY)
    assert_not_in(tmp_path, WRONG_KEY)


@pytest.mark.parametrize(
    ("status", "form"),
    [
        (401, '{"error": {"message": "Incorrect API key provided: KEY.", "code": "KEY"}}'),
        (400, '{"error": {"message": "' + 482 * "x" + 'KEY"}}'),
        (402, "KEY"),
        (404, "<html>KEY</html>"),
        (200, '{"error": {"message": "You are KEY", "code": 403}}'),
        (200, "<html>" + 50 * "x" + "KEY"),
    ],
)
def test_a_service_that_repeats_the_key_betrays_nothing(
    status: int, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENTRANCE", f"{KEY}\n")
    monkeypatch.setattr(
        "nip.language_models.engine.retry_policy.RetryPolicy.seconds_to_wait", lambda *_, **__: None
    )
    with echo(status, form) as address:
        params = make_text_params(
            agents={"_default": agent(address, "ENTRANCE")}, rl={"num_iterations": 1}
        )
        with pytest.raises(LanguageModelError) as raised:
            run_quietly(params, tmp_path)
    assert_not_within(raised.value, KEY)
    # No beginning of it either, where a long message was cut.
    assert_not_within(raised.value, KEY[:12])
    assert_not_in(tmp_path, KEY, KEY[:12])
    assert result_of(tmp_path)["status"] == "failed"


def test_an_error_brings_no_request_along(
    tmp_path: Path, service: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", WRONG_KEY)
    params = make_text_params(agents={"_default": agent(service.address, "OPENAI_API_KEY")})
    with pytest.raises(AuthenticationError) as raised:
        run_quietly(params, tmp_path)
    assert_not_within(raised.value, WRONG_KEY)


def test_a_crash_shows_no_key(tmp_path: Path, service: Endpoint) -> None:
    """A bug in the middle of a call shows its whole traceback, and still not the key."""
    bug = tmp_path / "bug.py"
    bug.write_text(
        "from nip.language_models.providers import openai\n"
        "def read_completion(content, headers, spec):\n"
        "    raise KeyError('a bug')\n"
        "openai.read_completion = read_completion\n"
    )
    outcome = start_on_the_command_line(tmp_path, service.address, "ENTRANCE", "plugins=[./bug.py]")
    assert outcome.exit_code == 1
    assert "KeyError: 'a bug'" in outcome.stderr
    assert_not_told(outcome, KEY)
    assert_not_in(tmp_path, KEY)
