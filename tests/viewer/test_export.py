"""Exports contain the chosen dialogues, and run nothing but the viewer's own scripts."""

import base64
import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from nip.run_store import open_database, read_history
from nip.scenario_base.text.rollout import Rollout
from tests.viewer.stored_runs import client_of, message, questions, record, store_run

CHOSEN = ["private/train/1/0", "private/test/2/1"]


def rollout_at(runs_dir: Path, key: str) -> Rollout:
    run_id, phase, iteration, position = key.split("/")
    with open_database(runs_dir / run_id) as database:
        rollouts = map(Rollout.from_record, database.rollouts.load(phase, int(iteration)))
        return next(each for each in rollouts if each.position == int(position))


def test_a_page_has_the_dialogues_and_the_curves(client: TestClient, runs_dir: Path) -> None:
    answer = client.get("/export.html", params={"d": CHOSEN})
    assert answer.headers["content-disposition"] == 'attachment; filename="nip_export.html"'
    page = unescape(answer.text)
    for key in CHOSEN:
        for said in rollout_at(runs_dir, key).messages:
            assert all(text in page for text in said.channel_texts.values())
    curves = json.loads(re.search(r'id="curves-data">(.*?)</script>', answer.text)[1])
    (series,) = [
        each for each in curves["panels"][0]["series"] if each["metric"] == "mean_accuracy"
    ]
    assert [tuple(each) for each in series["points"]] == read_history(runs_dir / "private").values(
        "mean_accuracy"
    )


def test_only_the_scripts_of_the_page_itself_are_allowed(client: TestClient) -> None:
    page = client.get("/export.html", params={"d": CHOSEN}).text
    policy = unescape(re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1])
    rules = dict(each.split(" ", 1) for each in policy.split("; "))
    assert rules["default-src"] == "'none'"

    def hashes(tag: str) -> set[str]:
        found = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digests = [hashlib.sha256(each.encode()).digest() for each in found]
        return {f"'sha256-{base64.b64encode(each).decode()}'" for each in digests}

    assert set(rules["script-src"].split()) == hashes("script") and len(hashes("script")) == 3
    assert set(rules["style-src"].split()) == hashes("style")
    assert not re.search(r"""(src|href)=["'](?!#)""", page)


def test_hostile_texts_stay_text_in_exports(tmp_path: Path) -> None:
    asked = questions(tmp_path)
    text = "</script><script>window.hit = 1</script>\u202e\ud800" + "x" * 50_000
    said = [message("verifier", 1, text), message("<b>", 2, text)]
    store_run(tmp_path / "runs", "bad", [record(asked[0], 0, messages=said)],
              metrics={1: {"</script><script>hit()</script>": 0.5}})  # fmt: skip
    client = client_of(tmp_path / "runs", tmp_path / "index.db")
    page = client.get("/export.html?d=bad/train/1/0").text
    assert page.count("<script") == 4 and "window.hit = 1&lt;/script&gt;" in page
    assert "x" * 50_000 in page and "\u202e" not in page
    log = client.get("/export.json?d=bad/train/1/0").json()
    assert log["samples"][0]["messages"][-1]["content"].endswith("x" * 50_000)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/export.json", 400),
        ("/export.json?d=open/train/1/0&d=private/train/1/0", 400),
        ("/export.html?d=nothing", 400),
        ("/export.html?d=open/train/9/0", 404),
        ("/export.html?run=nothing", 404),
    ],
)
def test_exports_of_nothing_are_refused(client: TestClient, path: str, status: int) -> None:
    assert client.get(path).status_code == status


@pytest.fixture(scope="module")
def log(client: TestClient, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("inspect") / "log.json"
    path.write_text(client.get("/export.json", params={"d": CHOSEN}).text, encoding="utf-8")
    return path


def test_a_log_of_inspect_has_what_each_agent_was_sent(
    log: Path, played: tuple[Path, dict[str, list[Any]]]
) -> None:
    runs_dir, sent = played
    samples = json.loads(log.read_text(encoding="utf-8"))["samples"]
    assert [f"private/{sample['id']}" for sample in samples] == CHOSEN
    for key, sample in zip(CHOSEN, samples, strict=True):
        rollout = rollout_at(runs_dir, key)
        run_id, phase, iteration, position = key.split("/")
        assert len(sample["events"]) == len(rollout.messages)
        for event, said in zip(sample["events"], rollout.messages, strict=True):
            stem = f"{run_id}/{phase}/{int(iteration) - 1}/{position}/{said.round}/{said.agent}/0"
            given = [{name: each[name] for name in ("role", "content")} for each in event["input"]]
            assert given == sent[stem][0]
            assert event["role"] == said.agent
            assert event["output"]["choices"][0]["message"]["content"] == said.text
        right = rollout.verdict == rollout.y
        assert sample["scores"]["verdict"]["value"] == ("C" if right else "I")


# Inspect needs older versions of some libraries than this project, so it may be elsewhere.
INSPECT_PYTHON = os.environ.get("INSPECT_PYTHON") or (
    sys.executable if importlib.util.find_spec("inspect_ai") else ""
)
READER = """
import json, sys
from inspect_ai.log import read_eval_log
log = read_eval_log(sys.argv[1])
samples = [
    [each.messages[0].role, each.messages[-1].text, each.scores["verdict"].answer,
     [[event.event, event.role, event.output.completion] for event in each.events]]
    for each in log.samples
]
print(json.dumps([log.status, samples]))
"""


@pytest.mark.skipif(
    not INSPECT_PYTHON,
    reason="Inspect is not installed: INSPECT_PYTHON names an interpreter that has inspect_ai",
)
def test_inspect_reads_its_log(log: Path, runs_dir: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": "", "HOME": str(tmp_path)}
    done = subprocess.run(
        [INSPECT_PYTHON, "-c", READER, str(log)],
        capture_output=True, text=True, check=True, cwd=tmp_path, env=environment,
    )  # fmt: skip
    status, samples = json.loads(done.stdout)
    assert status == "success" and len(samples) == len(CHOSEN)
    for key, (role, last, answer, events) in zip(CHOSEN, samples, strict=True):
        rollout = rollout_at(runs_dir, key)
        assert role == "system"
        assert last == rollout.last_message("verifier").text
        assert answer == ("reject", "accept")[rollout.verdict]
        assert events == [["model", each.agent, each.text] for each in rollout.messages]
