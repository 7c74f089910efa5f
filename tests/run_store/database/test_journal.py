"""The journal of finished messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.run_store.database import RunDatabase

ENTRIES = st.dictionaries(
    st.text(st.characters()), st.one_of(st.none(), st.integers(), st.text(st.characters()))
)


@pytest.fixture
def database(tmp_path):
    database = RunDatabase(tmp_path / "run.db")
    yield database
    database.close()


@given(entries=st.dictionaries(st.text(), ENTRIES, max_size=5))
def test_entries_come_back_after_reopening(tmp_path_factory, entries):
    path = tmp_path_factory.mktemp("journal") / "run.db"
    database = RunDatabase(path)
    for key, entry in entries.items():
        database.journal.put(key, entry)
    database.close()
    database = RunDatabase(path)
    assert len(database.journal) == len(entries)
    for key, entry in entries.items():
        assert database.journal.get(key) == entry
    database.close()


def test_half_a_surrogate_pair_comes_back(database):
    entry = {"text": "half \ud83d of a smile, a whole 😀, and \x00"}
    database.journal.put("key", entry)
    assert database.journal.get("key") == entry


def test_what_is_not_there_is_none_and_a_new_entry_replaces_the_old(database):
    assert database.journal.get("train/0/0/0/prover/0") is None
    database.journal.put("train/0/0/0/prover/0", {"text": "a"})
    database.journal.put("train/0/0/0/prover/0", {"text": "b"})
    assert database.journal.get("train/0/0/0/prover/0") == {"text": "b"}
    assert len(database.journal) == 1


def test_forget_takes_whole_parts_of_keys(database):
    keys = ["train/1/1/0/a/0", "train/1/1", "train/1/1/9/b/2", "train/1/17/0/a/0", "train/1/1x"]
    for key in [*keys, "test/1/1/0/a/0", "train/1/1-"]:
        database.journal.put(key, {"text": key})
    database.journal.forget("train/1/1")
    left = [key for key in keys if database.journal.get(key) is not None]
    assert left == ["train/1/17/0/a/0", "train/1/1x"]
    assert len(database.journal) == 4
    database.journal.forget("train/")
    assert len(database.journal) == 1
    database.journal.forget("")
    assert len(database.journal) == 0


def test_only_the_empty_prefix_is_that_of_all_keys(database):
    database.journal.put("train/0", {})
    database.journal.forget("/")
    assert len(database.journal) == 1


def test_forget_spares_what_is_to_be_kept(database):
    keys = [f"train/0/1/0/a/{attempt}" for attempt in range(3)]
    for key in [*keys, "train/0/2/0/a/0"]:
        database.journal.put(key, {"text": key})
    database.journal.forget("train/0/1", keep=[keys[1], "train/9/9"])
    assert [database.journal.get(key) is not None for key in keys] == [False, True, False]
    database.journal.forget("", keep=[keys[1]])
    assert len(database.journal) == 1


def test_an_entry_that_json_cannot_hold_is_refused(database):
    with pytest.raises(TypeError, match="not JSON serializable"):
        database.journal.put("key", {"text": object()})
    assert len(database.journal) == 0
