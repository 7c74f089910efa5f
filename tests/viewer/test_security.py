"""Only browsers on this machine are answered, nothing inline runs, and runs are only read."""

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from nip.viewer.web.security import host_name
from tests.viewer.stored_runs import client_of, questions, record, store_run


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8765", "localhost:80", "[::1]:8765"])
def test_names_of_this_machine_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/runs", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "localhost.", "", "[::1"],
)
def test_other_names_are_refused_as_after_dns_rebinding(client: TestClient, host: str) -> None:
    for path in ("/runs", "/static/viewer.js", "/curves.json?run=open"):
        answer = client.get(path, headers={"host": host})
        assert answer.status_code == 421
        assert "open" not in answer.text.replace("opener", "")


def test_the_port_is_not_part_of_the_name() -> None:
    assert host_name("LOCALHOST:1") == "localhost"
    assert host_name("[::1]") == "[::1]"
    assert host_name("a:b") == "a:b"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_the_viewer_only_reads(client: TestClient, method: str) -> None:
    assert client.request(method, "/runs").status_code == 405


@pytest.mark.parametrize("path", ["/runs", "/runs/open", "/runs/nothing", "/static/viewer.js"])
def test_every_answer_forbids_inline_scripts_and_other_hosts(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = dict(each.split(" ", 1) for each in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize(
    "path",
    ["/runs/..%2f..%2fetc", "/runs/%2e%2e", "/runs/.hidden", "/runs/a%00b", "/static/../app.py",
     "/static/..%2fapp.py", "/runs/open%2f..%2fopen"],
)  # fmt: skip
def test_paths_lead_nowhere_else(client: TestClient, path: str) -> None:
    answer = client.get(path, follow_redirects=False)
    assert answer.status_code == 404
    assert "import " not in answer.text


def test_browsers_keep_scripts_and_styles_but_no_page(client: TestClient) -> None:
    page = client.get("/runs")
    assert page.headers["cache-control"] == "no-store"
    referred = re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)
    assert len(referred) == 4
    for url in referred:
        assert "immutable" in client.get(url).headers["cache-control"]
        # A page of another version must not fill the browser's cache with files of this one.
        assert client.get(f"{url}0").headers["cache-control"] == "no-store"


def test_nothing_in_the_folder_of_a_run_is_written(tmp_path: Path) -> None:
    asked = questions(tmp_path)
    folder = store_run(tmp_path / "runs", "read", [record(asked[0], 0)])
    before = _state(folder)
    client = client_of(tmp_path / "runs", tmp_path / "index.db")
    place = "/runs/read/dialogues/train/1/0"
    for path in ("/runs", "/runs/read", "/runs/read/live", "/curves.json?run=read",
                 "/runs/read/dialogues?outcome=wrong", place, f"{place}?as=prover",
                 "/search?q=loop", f"/question?run=read&id={asked[0].id}"):  # fmt: skip
        assert client.get(path).status_code == 200, path
    assert _state(folder) == before


def _state(folder: Path) -> dict[str, tuple[int, int]]:
    paths = sorted(folder.rglob("*"))
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in paths}
