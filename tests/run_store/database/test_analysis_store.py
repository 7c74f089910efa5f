"""Storage of analyses, and its lock."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from nip.errors import ResumeError
from nip.run_store.database.analysis_store import AnalysisRow, AnalysisStore

ROW = AnalysisRow("holds", "openai:m", "abc", "test", 2, 7, "prover", "d1", "yes", "Answer: yes", 1)


def test_what_is_stored_is_read_back(tmp_path: Path) -> None:
    other = AnalysisRow("holds", "openai:m", "abc", "test", 0, 3, "prover", "d2", "not_applicable")
    with AnalysisStore(tmp_path) as store:
        store.add(ROW)
        store.add(other)
        store.set_state("ledger", {"accounts": []})
    with AnalysisStore(tmp_path) as store:
        assert store.rows() == [other, ROW]
        assert store.places("holds", "openai:m", "abc") == {ROW.place, other.place}
        assert store.places("holds", "openai:m", "abcd") == set()
        assert store.get_state("ledger") == {"accounts": []}
        assert store.get_state("nothing", 5) == 5


def change_places(store: AnalysisStore, then: Exception | None = None) -> None:
    with store.transaction():
        store.add(ROW)
        store.journal.forget("holds/x")
        if then is not None:
            raise then


def test_a_result_and_its_messages_change_places_in_one_step(tmp_path: Path) -> None:
    with AnalysisStore(tmp_path) as store:
        store.journal.put("holds/x/0", {"text": "Answer: yes"})
        with pytest.raises(ValueError, match="stopped"):
            change_places(store, then=ValueError("stopped"))
        assert (store.rows(), len(store.journal)) == ([], 1)
        change_places(store)
        assert (store.rows(), len(store.journal)) == ([ROW], 0)


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with AnalysisStore(tmp_path), pytest.raises(ResumeError, match="in use by process"):
        AnalysisStore(tmp_path)
    AnalysisStore(tmp_path).close()


@pytest.mark.parametrize("content", ["later", "broken"])
def test_a_file_that_cannot_be_read_is_named_and_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "analyses.db"
    if content == "broken":
        path.write_bytes(b"no database at all, but long enough to be looked at " * 20)
    else:
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA user_version = 9")
    before = path.read_bytes()
    with pytest.raises(ResumeError, match=str(path)):
        AnalysisStore(tmp_path)
    if content == "broken":
        assert path.read_bytes() == before
        path.unlink()
        AnalysisStore(tmp_path).close()


def test_results_of_a_file_that_counted_iterations_from_0_are_converted(tmp_path: Path) -> None:
    with AnalysisStore(tmp_path) as store:
        for iteration in (0, 1, 2):
            store.add(replace(ROW, iteration=iteration))
    with closing(sqlite3.connect(tmp_path / "analyses.db")) as connection:
        connection.execute("PRAGMA user_version = 1")
        connection.commit()
    for _ in range(2):
        with AnalysisStore(tmp_path) as store:
            assert [row.iteration for row in store.rows()] == [1, 2, 3]
