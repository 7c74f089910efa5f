"""Pages about dialogues: filters, all messages, and exactly what each agent was sent."""

import json
import re
import sqlite3
from contextlib import closing
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from nip.run_store import open_database
from nip.scenario_base.text.rollout import Rollout
from nip.viewer.dialogues.selection import DialogueFilter, list_dialogues
from tests.viewer.stored_runs import client_of, message, questions, record, store_run


def stored(runs_dir: Path, run_id: str) -> list[tuple[str, int, Rollout]]:
    with closing(sqlite3.connect(runs_dir / run_id / "run.db")) as database:
        rows = database.execute("SELECT phase, iteration, record FROM rollouts").fetchall()
    return [(phase, number, Rollout.from_record(json.loads(text))) for phase, number, text in rows]


def places(page: str) -> list[str]:
    return re.findall(r'name="d" value="([^"]+)"', page)


@pytest.mark.parametrize("run_id", ["open", "private"])
def test_the_view_of_an_agent_is_exactly_what_it_was_sent(
    client: TestClient, played: tuple[Path, dict[str, list[Any]]], run_id: str
) -> None:
    runs_dir, sent = played
    num_compared = 0
    for phase, iteration, rollout in stored(runs_dir, run_id):
        place = f"/runs/{run_id}/dialogues/{phase}/{iteration}/{rollout.position}"
        for agent in {each.agent for each in rollout.messages}:
            shown = client.get(f"{place}/sent/{agent}.json").json()
            rounds = [each.round for each in rollout.messages if each.agent == agent]
            assert [each["round"] - 1 for each in shown] == rounds
            for each in shown:
                stem = f"{run_id}/{phase}/{iteration - 1}/{rollout.position}"
                first, *again = sent[f"{stem}/{each['round'] - 1}/{agent}/0"]
                assert each["messages"] == first
                assert all(other == first for other in again)
                num_compared += 1
    assert num_compared > 50


def test_the_page_of_an_agents_view_has_each_message_once(
    client: TestClient, played: tuple[Path, dict[str, list[Any]]]
) -> None:
    runs_dir, _ = played
    rollout = max(
        (each for _, _, each in stored(runs_dir, "private")), key=lambda each: len(each.messages)
    )
    phase, iteration = next(
        (phase, i) for phase, i, each in stored(runs_dir, "private") if each == rollout
    )
    place = f"/runs/private/dialogues/{phase}/{iteration}/{rollout.position}"
    page = client.get(f"{place}?as=verifier").text
    last = client.get(f"{place}/sent/verifier.json").json()[-1]["messages"]
    shown = re.findall(r'role-(\w+)[^>]*data-step><h4>.*?<div class="prose" dir="auto">(.*?)</div>',
                       page, re.DOTALL)  # fmt: skip
    told = [(role, unescape(text)) for role, text in shown if role != "answer"]
    expected = [(each["role"], each["content"]) for each in last if each["role"] != "assistant"]
    assert told == expected
    assert told[0][0] == "system"


def test_messages_of_a_private_channel_say_who_reads_them(client: TestClient) -> None:
    page = client.get("/runs/private/dialogues/train/1/0").text
    readers = set(re.findall(r'(prover\d_channel) <span class="readers">read by ([^<]+)<', page))
    assert ("prover0_channel", "prover0, verifier") in readers
    assert not any("prover1" in names for channel, names in readers if channel[:7] == "prover0")


def test_filters_select_what_they_name(tmp_path: Path) -> None:
    asked = questions(tmp_path)
    wrong, right = (next(each for each in asked if each.y == y) for y in (0, 1))
    cases = {
        "right": record(right, asked.index(right)),
        "wrong": record(wrong, asked.index(wrong), verdict=1),
        "undecided": record(right, asked.index(right), verdict=2),
        "failed": record(wrong, asked.index(wrong), status="failed", error="ServerError",
                         verdict=2),
        "invalid": record(right, asked.index(right), messages=[message("verifier", 1, "",
                          is_invalid=True, num_retries=2, problems=["a", "b", "c"])], verdict=2),
        "cut": record(wrong, asked.index(wrong), messages=[message("prover", 1, "x", is_cut=True)]),
    }  # fmt: skip
    records = [{**each, "position": i} for i, each in enumerate(cases.values())]
    folder = store_run(tmp_path / "runs", "all", records)
    names = list(cases)

    def found(**chosen: Any) -> list[str]:
        with open_database(folder) as database:
            page = list_dialogues(database, "all", DialogueFilter(**chosen))
        assert page.num_matches == len(page.dialogues)
        return [names[each.place.position] for each in page.dialogues]

    assert found() == names
    assert found(outcome="right") == ["right", "cut"]
    assert found(outcome="wrong") == ["wrong"]
    assert found(outcome="undecided") == ["undecided", "invalid"]
    assert found(outcome="not right") == ["wrong", "undecided", "invalid"]
    assert found(outcome="failed") == ["failed"]
    assert found(outcome="invalid") == found(outcome="retried") == ["invalid"]
    assert found(outcome="cut") == ["cut"]
    assert found(outcome="damaged") == []
    assert found(label=1) == ["right", "undecided", "invalid"]
    assert found(label=0, outcome="wrong") == ["wrong"]
    assert found(question=wrong.id[3:9]) == ["wrong", "failed", "cut"]
    assert found(phase="test") == [] and found(iteration=2) == []
    assert found(question="%") == []


def test_the_list_has_pages(tmp_path: Path) -> None:
    asked = questions(tmp_path)
    store_run(tmp_path / "runs", "long", (record(asked[0], 0, i) for i in range(120)))
    client = client_of(tmp_path / "runs", tmp_path / "index.db")
    for number, positions in ((1, range(50)), (3, range(100, 120)), (9, range(0))):
        page = client.get(f"/runs/long/dialogues?page={number}").text
        assert places(page) == [f"long/train/1/{i}" for i in positions]
    assert "The last page is 3." in page
    assert "120 of 120" in client.get("/runs/long/dialogues").text


@pytest.mark.parametrize("query", ["outcome=nothing", "phase=x", "order=1;drop", "label=2&phase='"])
def test_an_unknown_filter_is_refused(client: TestClient, query: str) -> None:
    assert client.get(f"/runs/open/dialogues?{query}").status_code == 400


def test_a_turn_shows_tokens_price_retries_and_why_it_ended(tmp_path: Path) -> None:
    asked = questions(tmp_path)
    said = [
        message("verifier", 1, "Why?", model="gpt-4o-mini-2024-07-18", prompt_tokens=1_000_000,
                completion_tokens=1_000_000, num_retries=1, problems=["there is no decision"]),
        message("prover", 2, "", is_invalid=True, is_cut=True, problems=["too long"]),
    ]  # fmt: skip
    store_run(tmp_path / "runs", "one", [record(asked[0], 0, messages=said)])
    page = client_of(tmp_path / "runs", tmp_path / "i.db").get("/runs/one/dialogues/train/1/0").text
    text = " ".join(re.sub("<[^>]*>", " ", page).split())
    # Public prices of a million tokens: $0.15 of the prompt and $0.60 of the answer.
    assert "$0.75" in text
    assert "1 retry" in text and "there is no decision" in text
    assert "cut at the token limit" in text and "too long" in text
    assert "(nothing)" in text


def test_dialogues_without_their_dataset_are_shown_with_the_reason(tmp_path: Path) -> None:
    asked = questions(tmp_path)
    folder = store_run(tmp_path / "runs", "gone", [record(asked[0], 0)])
    path = folder / "hyper_params.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("dataset: test", "dataset: gone"), encoding="utf-8")
    client = client_of(tmp_path / "runs", tmp_path / "i.db")
    page = client.get("/runs/gone/dialogues/train/1/0")
    assert page.status_code == 200
    assert "cannot be shown" in page.text and "It adds up all items." in page.text
    assert client.get("/runs/gone/dialogues/train/1/0?as=prover").status_code == 404


def test_one_question_is_found_in_all_iterations_and_runs_and_shown_beside_each_other(
    client: TestClient, runs_dir: Path
) -> None:
    datapoint_id = stored(runs_dir, "open")[0][2].datapoint_id
    expected = {
        f"{run_id}/{phase}/{iteration}/{rollout.position}"
        for run_id in ("open", "private")
        for phase, iteration, rollout in stored(runs_dir, run_id)
        if rollout.datapoint_id == datapoint_id
    }
    page = client.get(f"/question?run=open&id={datapoint_id}").text
    assert set(places(page)) == expected
    assert {key.split("/")[0] for key in expected} == {"open", "private"}
    chosen = sorted(expected)[:6]
    beside = client.get("/beside", params={"d": chosen}).text
    assert "about one question" in beside
    for key in chosen:
        run_id, phase, iteration, position = key.split("/")
        assert f"/runs/{run_id}/dialogues/{phase}/{iteration}/{position}" in beside


@pytest.mark.parametrize(
    "key", ["open", "open/train/1", "open/x/1/2", "../x/train/1/0", "a/train/-1/0"]
)
def test_an_address_that_is_none_is_refused(client: TestClient, key: str) -> None:
    assert client.get("/beside", params={"d": key}).status_code == 400
