"""No request makes the mock API fail: what it cannot handle, it refuses."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nip.language_models.server import EndpointOptions, app, chat, create_app, files
from nip.language_models.server.__main__ import main
from nip.language_models.server.training_file import MIN_EXAMPLES
from tests.language_models.server.training_data import supervised

MODEL = "gpt-4o-mini-2024-07-18"
MESSAGES = [{"role": "user", "content": "Hello"}]
HOST = (b"host", b"localhost")
JSON = (b"content-type", b"application/json")
FORM = (b"content-type", b"multipart/form-data; boundary=x")


@dataclass
class Answer:
    """What came back."""

    status: int = 0
    body: bytes = b""
    headers: dict[bytes, bytes] = field(default_factory=dict)


class Server:
    """The application, which gets requests as a server hands them over."""

    def __init__(self, **options: Any) -> None:
        self.app = create_app(EndpointOptions(job_polls=1, **options))

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run(self.app.state.endpoint.aclose())

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: tuple[tuple[bytes, bytes], ...] = (),
        query: bytes = b"",
        num_chunks: int = 1,
    ) -> Answer:
        """Send a request, in several chunks; if their number is negative, the last is missing."""
        is_complete, num_chunks = num_chunks > 0, abs(num_chunks)
        size = -(-len(body) // num_chunks) or 1
        chunks = [body[start : start + size] for start in range(0, len(body), size)] or [b""]
        events = [
            {
                "type": "http.request",
                "body": chunk,
                "more_body": not is_complete or index + 1 < len(chunks),
            }
            for index, chunk in enumerate(chunks)
        ]
        answer = Answer()

        async def receive() -> dict[str, Any]:
            return events.pop(0) if events else {"type": "http.disconnect"}

        async def send(event: dict[str, Any]) -> None:
            if event["type"] == "http.response.start":
                answer.status, answer.headers = event["status"], dict(event["headers"])
            else:
                answer.body += event.get("body", b"")

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(errors="replace"),
            "query_string": query,
            "root_path": "",
            "headers": [*headers] if b"host" in dict(headers) else [HOST, *headers],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        asyncio.run(self.app(scope, receive, send))
        return answer

    def post(self, path: str, tree: Any) -> Answer:
        return self.ask("POST", path, json.dumps(tree).encode(), (JSON,))


def is_refused(answer: Answer) -> bool:
    """Return whether a request was refused in the format of the API, and not for its faults."""
    assert answer.status < 500, answer.body
    if answer.status >= 400 and answer.body:
        assert set(json.loads(answer.body)["error"]) == {"message", "type", "param", "code"}
    return answer.status >= 400


NUMBERS = st.sampled_from([0, -1, 2**31, 2**63, 2**64, 10**400, 1e308, 1e-320, -0.0, 0.5])
LEAVES = st.none() | st.booleans() | st.integers() | NUMBERS | st.text(max_size=8)
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
FIELDS: dict[str, list[str]] = {
    "/v1/chat/completions": [
        *("messages", "model", "n", "stop", "seed", "stream", "stream_options", "temperature"),
        *("top_p", "max_tokens", "max_completion_tokens", "metadata", "reasoning_effort", "user"),
        *("service_tier", "tools", "logit_bias", "response_format"),
    ],
    "/v1/fine_tuning/jobs": [
        *("model", "training_file", "validation_file", "suffix", "seed", "metadata", "method"),
        *("hyperparameters", "integrations"),
    ],
    "/admin/faults": ["faults", "fault_rate", "seed"],
}
VALUES: dict[str, Any] = {
    "model": MODEL,
    "messages": MESSAGES,
    "training_file": "file-00000001",
    "faults": [],
}


@st.composite
def json_requests(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """Draw a body that is valid except for some of its fields."""
    path = draw(st.sampled_from(list(FIELDS)))
    tree = {name: VALUES[name] for name in FIELDS[path] if name in VALUES}
    tree |= draw(st.dictionaries(st.sampled_from(FIELDS[path]), TREES, max_size=3))
    return path, tree


def with_hyper_parameter(name: str, value: Any) -> tuple[str, dict[str, Any]]:
    kind = "dpo" if name == "beta" else "supervised"
    method = {"type": kind, kind: {"hyperparameters": {name: value}}}
    return "/v1/fine_tuning/jobs", {
        "model": MODEL,
        "training_file": "file-00000001",
        "method": method,
    }


def with_field(name: str, value: Any) -> tuple[str, dict[str, Any]]:
    return "/v1/fine_tuning/jobs", {
        "model": MODEL,
        "training_file": "file-00000001",
        name: value,
    }


@given(json_requests())
@example(("/admin/faults", {"faults": ["rate_limit?rate=nan", "quota?first=" + "9" * 5000]}))
@example(("/admin/faults", {"faults": ["quota"], "seed": 10**4000}))
@example(with_field("validation_file", [[{"a": 10**400}]]))
@example(with_field("suffix", "\0" * 64))
@example(with_field("metadata", {"\0": "\0"}))
@example(with_hyper_parameter("n_epochs", 10**400))
@example(with_hyper_parameter("n_epochs", 2**62))
@example(with_hyper_parameter("learning_rate_multiplier", 1e308))
@example(with_hyper_parameter("beta", 10**400))
def test_fields_of_any_value_are_honoured_or_refused(request: tuple[str, dict[str, Any]]) -> None:
    path, tree = request
    with Server(brain="echo") as server:
        upload(server)
        is_refused(server.post(path, tree))
        # What was accepted can also be read, and trained on.
        for _ in range(3):
            for method, other in (("GET", path), ("GET", "/v1/fine_tuning/jobs/ftjob-00000001")):
                is_refused(server.ask(method, other))


def upload(server: Server, content: bytes | None = None) -> Answer:
    body = form(("purpose", None, b"fine-tune"), ("file", "t.jsonl", content or supervised()))
    return server.ask("POST", "/v1/files", body, (FORM,))


def form(*parts: tuple[str, str | None, bytes]) -> bytes:
    """Encode a form with fields and files."""
    encoded = b""
    for name, file_name, content in parts:
        file = "" if file_name is None else f'; filename="{file_name}"'
        encoded += f'--x\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode()
        encoded += content + b"\r\n"
    return encoded + b"--x--\r\n"


DEEP = b"[" * 100_000 + b"]" * 100_000
BODIES = {
    "nothing": b"",
    "no JSON": b"{",
    "no UTF-8": b'{"model": "\xff"}',
    "UTF-16": '{"model": "m"}'.encode("utf-16"),
    "an unpaired surrogate": b'{"model": "\\ud800"}',
    "an encoded surrogate": b'{"model": "m", "training_file": "\xed\xa0\x80", "messages": 1}',
    "an encoded surrogate as name": b'{"model": "m", "training_file": "f", "\xed\xa0\x80": 1}',
    "an unpaired surrogate in UTF-16": '{"model": "m", "\\ud800": 1}'.encode("utf-16-le"),
    "an unpaired surrogate in UTF-32": '{"model": "m", "\\ud800": 1}'.encode("utf-32"),
    "a NaN": b'{"model": "m", "temperature": NaN}',
    "a number without an end": b'{"model": "m", "seed": ' + b"9" * 10_000 + b"}",
    "an infinity": b'{"model": "m", "temperature": 1e999}',
    "very deep": DEEP,
    "deep in a field": b'{"model": "m", "messages": ' + b"[" * 900 + b"]" * 900 + b"}",
    "deep with a surrogate": b'{"a": "\\ud83d\\ude00", "b": ' + b"[" * 900 + b"]" * 900 + b"}",
    "a list": b"[]",
    "NUL": b'{"model": "\\u0000", "messages": [{"role": "user", "content": "\\u0000"}]}',
}


@pytest.mark.parametrize("path", FIELDS)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_bodies_that_are_no_json_object_are_refused(body: bytes, path: str) -> None:
    with Server() as server:
        refused = is_refused(server.ask("POST", path, body, (JSON,)))
        assert refused or b"u0000" in body


@pytest.mark.parametrize("depth", range(50, 1000, 50))
def test_a_field_of_any_depth_can_be_refused(depth: int) -> None:
    body = b'{"model": "m", "messages": %s, "stop": 1}' % (b"[" * depth + b"]" * depth)
    with Server() as server:
        assert is_refused(server.ask("POST", "/v1/chat/completions", body, (JSON,)))
        job = b'{"model": "m", "training_file": "f", "method": %s}' % (b"[" * depth + b"]" * depth)
        assert is_refused(server.ask("POST", "/v1/fine_tuning/jobs", job, (JSON,)))


FORMS = {
    "no boundary": (b"multipart/form-data", b"--x\r\n"),
    "another boundary": (b"multipart/form-data; boundary=y", form(("purpose", None, b"a"))),
    "no end": (FORM[1], form(("file", "a", b"b"))[:-20]),
    "no JSON": (b"application/json", b"{}"),
    "urlencoded": (b"application/x-www-form-urlencoded", b"file=%ff&purpose=%ed%a0%80"),
    "no name": (FORM[1], b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--\r\n"),
    "no disposition": (FORM[1], b"--x\r\nA: b\r\n\r\na\r\n--x--\r\n"),
    "a file as purpose": (FORM[1], form(("purpose", "a", b"b"), ("file", "a", b"b"))),
    "many files": (FORM[1], form(*(("file", "a", b"b") for _ in range(2000)))),
    "many fields": (FORM[1], form(*(("purpose", None, b"b") for _ in range(2000)))),
    "a large field": (FORM[1], form(("purpose", None, b"b" * 2_000_000))),
    "a header without an end": (FORM[1], b"--x\r\n" + b"A" * 100_000),
    **{
        f"names in {charset}": (
            f"multipart/form-data; boundary=x; charset={charset}".encode(),
            form(("purpose", None, b"fine-tune"), ("file", "\\ud800+2AA-\xff", b"b")),
        )
        for charset in (
            "unicode_escape",
            "utf-7",
            "idna",
            "punycode",
            "utf-16",
            "rot13",
            "hex",
            "x",
        )
    },
}


@pytest.mark.parametrize(("kind", "body"), FORMS.values(), ids=FORMS)
def test_forms_of_any_kind_are_stored_or_refused(kind: bytes, body: bytes) -> None:
    with Server() as server:
        is_refused(server.ask("POST", "/v1/files", body, ((b"content-type", kind),)))
        is_refused(server.ask("GET", "/v1/files"))


LINES = [
    b"",
    b"\xff",
    DEEP[:2000],
    b'{"messages": ' + b"[" * 900 + b"]" * 900 + b"}",
    b'{"messages": [{"role": "assistant", "content": "\\ud800"}]}',
    b'{"messages": [{"role": "assistant", "content": "\xed\xa0\x80"}]}',
    b'{"messages": [1]}',
    b'{"messages": "messages"}',
    b'{"messages": []}',
    b'{"input": "input", "preferred_output": 1, "non_preferred_output": NaN}',
    b"[]",
    b'"messages"',
    b"9" * 10_000,
]


@pytest.mark.parametrize("line", LINES, ids=range(len(LINES)))
@pytest.mark.parametrize("method", ["supervised", "dpo"])
def test_training_files_of_any_content_end_their_job(line: bytes, method: str) -> None:
    with Server() as server:
        upload(server, b"\n".join([line] * MIN_EXAMPLES) + b"\n")
        tree = {"model": MODEL, "training_file": "file-00000001", "method": {"type": method}}
        assert not is_refused(server.post("/v1/fine_tuning/jobs", tree))
        statuses = [
            json.loads(server.ask("GET", "/v1/fine_tuning/jobs/ftjob-00000001").body)["status"]
            for _ in range(4)
        ]
        assert statuses[-1] == "failed"


# Servers decode paths as UTF-8.
TEXTS = st.text(max_size=12)
PATHS = st.sampled_from([path for _, path, _ in app._ROUTES])


@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS", "PATCH", "X"]),
    path=PATHS,
    name=TEXTS,
    query=st.binary(max_size=20)
    | st.sampled_from(
        [
            b"limit=" + b"9" * 5000,
            b"limit=%00",
            b"after=%ff",
            b"limit=1&limit=2",
            b"metadata[a]=b&metadata=null",
            b"&".join(b"a%d=b" % number for number in range(2000)),
        ]
    ),
    headers=st.lists(
        st.tuples(
            st.sampled_from(
                [b"range", b"content-length", b"content-type", b"authorization", b"expect", b"a"]
            ),
            st.binary(max_size=12) | st.sampled_from([b"bytes=9-1", b"-1", b"9" * 5000, b"\xff"]),
        ),
        max_size=3,
    ),
    body=st.binary(max_size=30),
)
def test_requests_of_any_form_are_answered(
    method: str,
    path: str,
    name: str,
    query: bytes,
    headers: list[tuple[bytes, bytes]],
    body: bytes,
) -> None:
    for placeholder in ("{name:path}", "{file_id}", "{job_id}"):
        path = path.replace(placeholder, name)
    with Server(brain="echo") as server:
        is_refused(server.ask(method, path, body, tuple(headers), query))


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/files", "/admin/faults"])
@pytest.mark.parametrize("num_chunks", [1, 7])
def test_bodies_have_a_limit_stated_or_not(
    path: str, num_chunks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "MAX_BODY", 1000)
    monkeypatch.setattr(app, "MAX_UPLOAD", 1000)
    kind = FORM if path == "/v1/files" else JSON
    padding = 1000 - len(form(("a", None, b""))) if kind == FORM else 1000 - len(b'{"a": ""}')
    with Server() as server:
        for extra, status in ((0, 400), (1, 413)):
            content = b"b" * (padding + extra)
            body = form(("a", None, content)) if kind == FORM else b'{"a": "%s"}' % content
            assert len(body) == 1000 + extra
            length = (b"content-length", str(len(body)).encode())
            for headers in ((kind,), (kind, length)):
                assert server.ask("POST", path, body, headers, b"", num_chunks).status == status


def test_a_stated_length_is_believed_before_anything_is_read() -> None:
    with Server() as server:
        for length in (b"9" * 30, b"9" * 5000, str(2**30).encode()):
            answer = server.ask("POST", "/v1/files", b"", (FORM, (b"content-length", length)))
            assert answer.status == 413


@pytest.mark.parametrize(
    ("host", "is_known"),
    [
        ("localhost", True),
        ("LOCALHOST:8000", True),
        ("127.0.0.1:8000", True),
        ("[::1]:8000", True),
        ("192.168.1.7", True),
        ("mock.example.org:8000", True),
        ("attacker.example.org:8000", False),
        ("127.0.0.1.attacker.example.org", False),
        ("localhost.attacker.example.org", False),
        ("", False),
    ],
)
def test_the_admin_interface_knows_its_hosts(host: str, is_known: bool) -> None:
    headers = (JSON, (b"host", host.encode()))
    with Server(admin_hosts=("mock.example.org",)) as server:
        for method, path in (
            ("GET", "/admin/counters"),
            ("GET", "/admin/faults"),
            ("POST", "/admin/faults"),
        ):
            answer = server.ask(method, path, b'{"faults": []}', headers)
            assert answer.status == (200 if is_known else 403)
        # Clients on other machines may know the service by any name.
        assert server.ask("GET", "/v1/models", b"", headers).status == 200
    with Server(admin_hosts=("mock.example.org",), is_local=True) as server:
        for path in ("/v1/models", "/v1/files", "/admin/counters"):
            answer = server.ask("GET", path, b"", headers)
            assert answer.status == (200 if is_known else 403)


@pytest.mark.parametrize(
    ("origin", "is_served"),
    [
        (None, True),
        (b"http://localhost:3000", True),
        (b"http://127.0.0.1:8000", True),
        (b"http://mock.example.org", True),
        (b"https://attacker.example.org", False),
        (b"https://localhost.attacker.example.org", False),
        (b"http://[", False),
        (b"null", False),
        (b"", False),
    ],
)
def test_requests_of_pages_of_other_servers_have_no_effect(
    origin: bytes | None, is_served: bool
) -> None:
    headers = () if origin is None else ((b"origin", origin),)
    with Server(admin_hosts=("mock.example.org",)) as server:
        upload(server)
        server.post(
            "/v1/fine_tuning/jobs", {"model": MODEL, "training_file": "file-00000001", "seed": 1}
        )
        job = "/v1/fine_tuning/jobs/ftjob-00000001"
        answer = server.ask("POST", f"{job}/cancel", b"", headers)
        assert answer.status == (200 if is_served else 403)
        is_cancelled = json.loads(server.ask("GET", job).body)["status"] == "cancelled"
        assert is_cancelled == is_served


def test_completions_together_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat, "MAX_BODY", 1000)
    message = {"role": "user", "content": "word " * 50}
    with Server(brain="echo") as server:
        for n, status in ((3, 200), (128, 400)):
            tree = {"model": MODEL, "messages": [message], "n": n}
            assert server.post("/v1/chat/completions", tree).status == status


def test_files_together_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_STORED", 5000)
    with Server() as server:
        statuses = [upload(server, b"a" * 2000).status for _ in range(3)]
        assert statuses == [200, 200, 413]
        server.ask("DELETE", "/v1/files/file-00000001")
        assert upload(server, b"a" * 2000).status == 200


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/files", "/admin/faults"])
def test_a_client_that_leaves_in_the_middle_is_no_failure(path: str) -> None:
    kind = FORM if path == "/v1/files" else JSON
    with Server() as server:
        assert server.ask("POST", path, b"--x\r\n", (kind,), num_chunks=-1).status == 400


@pytest.mark.parametrize(
    "kind", [b"text/plain", b"application/x-www-form-urlencoded", b"multipart/form-data", b""]
)
def test_a_page_cannot_change_the_faults_with_a_form(kind: bytes) -> None:
    with Server() as server:
        body = b'{"faults": ["overload"]}'
        assert server.ask("POST", "/admin/faults", body, ((b"content-type", kind),)).status == 415
        assert server.app.state.endpoint.faults.rules == ()
        json_type = (b"content-type", b"Application/JSON; charset=utf-8")
        assert server.ask("POST", "/admin/faults", body, (json_type,)).status == 200


@pytest.mark.parametrize("host", ["", " "])
def test_an_empty_host_is_no_invitation(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--host", host, "--port", "0"]) == 2
    assert "0.0.0.0 for all networks" in capsys.readouterr().err
