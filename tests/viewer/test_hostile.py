"""What a model wrote is data: nothing of it is markup, and a damaged record is shown as text."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from nip.viewer.dialogues.records import DamagedRecord, parse_record
from nip.viewer.web.rendering import render
from tests.viewer.stored_runs import client_of, message, questions, record, store_run

HOSTILE = [
    "<script>window.hit = 1</script>",
    "<img src=x onerror='window.hit = 1'>",
    '"><svg onload=window.hit=1>',
    "<a href='javascript:window.hit=1'>click</a>",
    "</textarea></script><script>window.hit = 1</script>",
    "{{ 7 * 7 }} {% include 'base.html' %}",
    "<style>body { display: none }</style><base href='http://evil.example/'>",
    "<meta http-equiv=refresh content='0; url=http://evil.example/'>",
    "\u202eevil\u202c \u2066text\u2069 \u200f",
    "\x00\x1b[31m\x07\x9b",
    "\ud800 lone surrogate",
    "x" * 1_000_000,
    "]]><!-- <![CDATA[ -->",
    "\u2028\u2029\ufeff",
]
DAMAGED = {
    "utf8": b'{"y": "\xff\xfe<script>window.hit = 1</script>"}',
    "json": b"{<script>window.hit = 1</script>",
    "empty": b"",
    "list": b"[1, 2, 3]",
    "deep": b"[" * 100_000,
    "null": b"null",
}


class Tags(HTMLParser):
    """Collects what a browser would execute or load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        source = values.get("src") or ""
        if tag == "script" and not source.startswith("/static/"):
            self.found.append("script")
        if tag in ("base", "iframe", "object", "embed", "style", "img"):
            self.found.append(tag)
        if tag == "meta" and "http-equiv" in values:
            self.found.append("meta")
        self.found += [name for name in values if name.startswith("on") or name == "style"]
        for name in ("href", "src", "action", "formaction"):
            address = values.get(name) or "/"
            if not re.match(r"[/#?]", address) or address.startswith("//"):
                self.found.append(f"{name}={address[:50]}")


def active_parts(page: str) -> list[str]:
    parser = Tags()
    parser.feed(page)
    return parser.found


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, int]]:
    folder = tmp_path_factory.mktemp("hostile")
    asked = questions(folder)
    records: list[dict[str, Any]] = []
    for i, text in enumerate(HOSTILE):
        said = [
            message("verifier", 1, text, model=text, problems=[text], num_retries=1,
                    reasoning=text, decision=1, decision_text=text,
                    channel_texts={"main": text, text[:50]: text}),
            message(text[:50] or "nobody", 2, text),
        ]  # fmt: skip
        records.append(record(asked[0], 0, i, messages=said, warnings=[text]))
        records.append(
            record(asked[0], 0, 100 + i, datapoint_id=text, status="failed", error=text,
                   error_message=text)
        )  # fmt: skip
    run = store_run(folder / "runs", "hostile", [])
    rows = [("train", 1, each["position"], json.dumps(each)) for each in records]
    rows += [("test", 1, i, stored) for i, stored in enumerate(DAMAGED.values())]
    with closing(sqlite3.connect(run / "run.db")) as database:
        for phase, iteration, position, stored in rows:
            as_text = "CAST(? AS TEXT)" if isinstance(stored, bytes) else "?"
            database.execute(
                f"INSERT INTO rollouts VALUES (?, ?, ?, {as_text})",
                (phase, iteration, position, stored),
            )
        database.execute("INSERT INTO metrics VALUES (1, ?, 0.5)", (HOSTILE[0],))
        database.commit()
    with client_of(folder / "runs", folder / "index.db") as client:
        yield client, len(rows)


def addresses() -> list[str]:
    found = ["/runs", "/runs/hostile", "/runs/hostile/live", "/compare?run=hostile"]
    found += [f"/runs/hostile/dialogues?page={i}" for i in (1, 2)]
    found += [f"/runs/hostile/dialogues?outcome={name}" for name in ("wrong", "damaged", "cut")]
    found += ["/search?q=script", "/search?q=window", "/search?q=<script>alert(1)</script>"]
    found += ["/question?run=hostile&id=<script>", "/beside?d=hostile/train/1/0&d=hostile/test/1/0"]
    found += ["/runs?q=<script>&sort='onload=&metric=<b>"]
    found += [f"/runs/hostile/dialogues/test/1/{i}" for i in range(len(DAMAGED))]
    for i in range(len(HOSTILE)):
        place = f"/runs/hostile/dialogues/train/1/{i}"
        found += [place, f"{place}?as=verifier", f"/runs/hostile/dialogues/train/1/{100 + i}"]
    return found


def test_nothing_that_a_model_wrote_is_markup(hostile: tuple[TestClient, int]) -> None:
    client, num_dialogues = hostile
    for path in addresses():
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.text[:500])
        assert active_parts(answer.text) == [], path
        # Marks that change the order of text would show it in another order than it has.
        assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\x1b\x9b]", answer.text), path
        assert len(answer.content) < 3_000_000, path
    assert f"{num_dialogues} of {num_dialogues}" in client.get("/runs/hostile/dialogues").text


def test_whole_texts_are_plain(hostile: tuple[TestClient, int]) -> None:
    client, _ = hostile
    index = next(i for i, text in enumerate(HOSTILE) if len(text) == 1_000_000)
    page = client.get(f"/runs/hostile/dialogues/train/1/{index}").text
    assert "all 1\u202f000\u202f000 characters" in page
    answer = client.get(f"/runs/hostile/dialogues/train/1/{index}/messages/0.txt")
    assert answer.text == HOSTILE[index]
    assert answer.headers["content-type"].startswith("text/plain")
    assert client.get("/runs/hostile/dialogues/train/1/0/messages/9.txt").status_code == 404


@pytest.mark.parametrize("name", list(DAMAGED))
def test_a_damaged_record_is_shown_as_it_is_stored(
    hostile: tuple[TestClient, int], name: str
) -> None:
    client, _ = hostile
    place = f"/runs/hostile/dialogues/test/1/{list(DAMAGED).index(name)}"
    page = client.get(place).text
    assert "Damaged record" in page
    raw = client.get(f"{place}/messages/0.txt").text
    assert raw == DAMAGED[name].decode("utf-8", "replace")
    assert "damaged" in client.get("/runs/hostile/dialogues?phase=test").text


def test_damaged_records_are_searched_too(hostile: tuple[TestClient, int]) -> None:
    client, _ = hostile
    page = client.get("/search?q=window&phase=test").text
    assert page.count("damaged record") == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=20)
@given(st.data())
def test_no_value_of_a_record_breaks_its_card(data: st.DataObject) -> None:
    asked = record(type("Q", (), {"y": 1, "id": "q", "prover_stance": 0}), 0)
    names = st.sampled_from([*asked, "branch", "extra"])
    changed = {**asked, **data.draw(st.dictionaries(names, JSON, max_size=2))}
    if data.draw(st.booleans()) and isinstance(changed["messages"], list):
        said = asked["messages"][0]
        name = data.draw(st.sampled_from([*said, "problems", "is_cut", "model", "decision"]))
        first = {**said, name: data.draw(JSON)}
        changed["messages"] = [first, *asked["messages"][1:]]
    stored = json.dumps(changed).encode()
    content = parse_record(stored)
    if isinstance(content, DamagedRecord):
        assert content.raw == stored.decode()
        return
    from nip.viewer.dialogues.dialogue_view import view_of
    from nip.viewer.dialogues.records import StoredDialogue
    from nip.viewer.web.place import Place

    place = Place("r", "train", 1, 0)
    page = render(
        "dialogue.html", path="/", view=view_of(StoredDialogue(place, content), "none"),
        place=place, before=None, after=None, viewer_agent="", requests=[],
        has_changed_prompts=False, question_url="",
    )  # fmt: skip
    assert active_parts(page) == []
