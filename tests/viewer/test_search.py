"""The search index finds messages of all runs, follows changes, and can be deleted."""

import re
import shutil
import sqlite3
from pathlib import Path

import pytest

from nip.run_store import Run
from nip.viewer.search.index import SearchIndex
from nip.viewer.search.query import SearchQuery, search
from tests.text_experiments import make_text_params, text_settings
from tests.viewer.stored_runs import client_of, message, questions, record, store_run


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stored")
    asked = questions(folder)
    texts = ["The loop ends too early", "An off by one error", "early loops end", "naïve Ünïcode"]
    records = [
        record(asked[0], 0, i, messages=[message("prover", 1, text), message("verifier", 2, "ok")])
        for i, text in enumerate(texts)
    ]
    store_run(folder / "runs", "first", records)
    store_run(folder / "runs", "second", [record(asked[1], 1, messages=[
        message("verifier", 1, "loop", reasoning="a hidden thought")])])  # fmt: skip
    return folder / "runs"


@pytest.fixture
def runs(stored: Path, tmp_path: Path) -> Path:
    """Return a copy of the runs, which a test may change."""
    shutil.copytree(stored, tmp_path / "runs")
    return tmp_path / "runs"


def found(index: SearchIndex, text: str, **where: str) -> set[str]:
    assert index.refresh(60).is_complete
    with index.open() as connection:
        matches, count = search(connection, SearchQuery(text, **where))
    assert count == len(matches)
    return {f"{match.place.run}/{match.place.position}#{match.turn}" for match in matches}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("loop", {"first/0#0", "second/0#0"}),
        ("loop early", {"first/0#0"}),
        ("loop -early", {"second/0#0"}),
        ('"too early"', {"first/0#0"}),
        ('"early too"', set()),
        ("loo*", {"first/0#0", "first/2#0", "second/0#0"}),
        ("NAIVE unicode", {"first/3#0"}),
        ("thought", {"second/0#0"}),
        ("", set()),
        ('"', set()),
        ("AND OR NOT (", set()),
        ("text:loop", set()),
        ("-loop", set()),
    ],
)
def test_queries(runs: Path, tmp_path: Path, text: str, expected: set[str]) -> None:
    assert found(SearchIndex(tmp_path / "index.db", runs), text) == expected


def test_where_is_searched_can_be_chosen(runs: Path, tmp_path: Path) -> None:
    index = SearchIndex(tmp_path / "index.db", runs)
    assert found(index, "loop", run="second") == {"second/0#0"}
    assert found(index, "loop", agent="prover") == {"first/0#0"}
    assert found(index, "ok", agent="prover") == set()
    assert found(index, "loop", phase="test") == set()


def test_only_what_changed_is_indexed_again(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nip.viewer.search.index as module

    index = SearchIndex(tmp_path / "index.db", runs)
    added: list[int] = []
    real = module._add_dialogue
    monkeypatch.setattr(
        module, "_add_dialogue", lambda *row: (added.append(row[1][3]), real(*row))[1]
    )
    assert found(index, "loop") == {"first/0#0", "second/0#0"}
    assert sorted(added) == [0, 0, 1, 2, 3]
    added.clear()
    assert found(index, "ok") == {"first/0#1", "first/1#1", "first/2#1", "first/3#1"}
    assert added == []
    asked = questions(tmp_path)
    with Run.open(text_settings(runs), "first", make_text_params().to_dict()) as run:
        run.rollouts.add(
            "train", 1, 2, record(asked[0], 0, 2, messages=[message("prover", 1, "new")])
        )
        run.rollouts.add(
            "train", 2, 9, record(asked[0], 0, 9, messages=[message("prover", 1, "new")])
        )
        run.rollouts.delete("train", 1, 0)
        assert found(index, "new") == {"first/2#0", "first/9#0"}
    assert sorted(added) == [2, 9]
    assert found(index, "loop") == {"second/0#0"}
    assert found(index, "ok") == {"first/1#1", "first/3#1"}


def test_a_run_that_is_gone_is_no_longer_found(runs: Path, tmp_path: Path) -> None:
    index = SearchIndex(tmp_path / "index.db", runs)
    assert "second/0#0" in found(index, "loop")
    (runs / "second").rename(tmp_path / "elsewhere")
    assert found(index, "loop") == {"first/0#0"}


@pytest.mark.parametrize("content", [b"no database" * 500, b""])
def test_a_damaged_index_is_made_anew(runs: Path, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "index.db"
    path.write_bytes(content)
    assert found(SearchIndex(path, runs), "early -end") == {"first/0#0"}


def test_an_index_of_another_layout_is_made_anew(runs: Path, tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert found(SearchIndex(path, runs), "thought") == {"second/0#0"}


def test_an_index_that_cannot_be_written_is_reported(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    client = client_of(runs, tmp_path / "file" / "index.db")
    page = client.get("/search?q=loop").text
    assert "cannot be written" in page and "--index" in page


def test_the_page_marks_matches_and_links_to_the_message(runs: Path, tmp_path: Path) -> None:
    page = client_of(runs, tmp_path / "index.db").get("/search?q=early&run=first").text
    assert "The loop ends too <mark>early</mark>" in page
    assert set(re.findall(r'<a data-open href="([^"]+)"', page)) == {
        "/runs/first/dialogues/train/1/0#turn-0",
        "/runs/first/dialogues/train/1/2#turn-0",
    }
