import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from nip.errors import NipWarning, ParameterError
from nip.language_models.engine import cache as engine_cache
from nip.language_models.engine.cache import ResponseCache, check_response_cache
from nip.run_store.database import RunDatabase
from tests.language_models.models import FakeModel, call, engine_for
from tests.language_models.virtual_time import run


def test_answers_outlive_the_process(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "cache.db"
    with ResponseCache(path) as cache:
        assert cache.get("a") is None
        cache.put("a", {"text": "Grüße \u2028", "n": 1})
    with ResponseCache(path) as cache:
        assert cache.get("a") == {"text": "Grüße \u2028", "n": 1}


def test_the_first_entry_is_kept_with_two_concurrent_runs(tmp_path: Path) -> None:
    with ResponseCache(tmp_path / "c.db") as one, ResponseCache(tmp_path / "c.db") as two:
        one.put("a", {"text": "first"})
        two.put("a", {"text": "second"})
        assert one.get("a") == two.get("a") == {"text": "first"}


def test_a_file_that_is_no_cache_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to be taken for one" * 100)
    with pytest.raises(ParameterError, match=r"notes\.txt.*cannot be used"):
        ResponseCache(path)


@pytest.mark.parametrize(
    ("statements", "named"),
    [
        ("CREATE TABLE runs (run_id); CREATE TABLE responses (key, entry)", "responses, runs"),
        ("CREATE TABLE responses (id, text)", "responses"),
        ("CREATE VIEW seen AS SELECT 1", "seen"),
        ("PRAGMA application_id = 7", "an ID of its own"),
    ],
)
def test_another_database_is_refused_and_not_changed(
    tmp_path: Path, statements: str, named: str
) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(statements)
    before = path.read_bytes()
    for use in (check_response_cache, ResponseCache):
        with pytest.raises(ParameterError, match=f"it is another database, with {named}"):
            use(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_database_of_a_run_is_refused(tmp_path: Path) -> None:
    RunDatabase(tmp_path / "run.db").close()
    with pytest.raises(ParameterError, match="it is another database"):
        ResponseCache(tmp_path / "run.db")


def test_a_check_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    ResponseCache(path).close()
    before = path.read_bytes()
    check_response_cache(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    (tmp_path / "empty.db").touch()
    check_response_cache(tmp_path / "empty.db")
    assert (tmp_path / "empty.db").stat().st_size == 0


def test_a_cache_in_use_passes_the_check(tmp_path: Path) -> None:
    with ResponseCache(tmp_path / "c.db") as cache:
        cache.put("a", {"text": "first"})
        check_response_cache(tmp_path / "c.db")


def test_a_cache_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE responses (key TEXT PRIMARY KEY, entry TEXT NOT NULL)")
        connection.execute("""INSERT INTO responses VALUES ('a', '{"text": "old"}')""")
        connection.commit()
    check_response_cache(path)
    for _ in range(2):
        with ResponseCache(path) as cache:
            assert cache.get("a") == {"text": "old"}


@pytest.mark.parametrize("place", [".", "file/cache.db"])
def test_a_place_where_no_file_can_be_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ParameterError, match="cannot be used"):
        ResponseCache(tmp_path / place)


def test_two_servers_with_one_name_do_not_share_answers(tmp_path: Path) -> None:
    there, elsewhere = FakeModel(), FakeModel(address="http://elsewhere")

    async def ask(model: FakeModel, cache: ResponseCache) -> None:
        async with engine_for(model, cache=cache) as engine:
            await engine.complete(call())

    with ResponseCache(tmp_path / "c.db") as cache:
        for model in (there, elsewhere, there, elsewhere):
            run(ask(model, cache))
    assert len(there.asked) == len(elsewhere.asked) == 1


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A response cache that another program has locked."""
    ResponseCache(tmp_path / "c.db").close()
    other = sqlite3.connect(tmp_path / "c.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield other
    other.close()


def test_entries_for_a_locked_cache_are_kept_and_written_later(
    tmp_path: Path, locked: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_cache, "BUSY_TIMEOUT_MS", 1)
    with ResponseCache(tmp_path / "c.db") as cache, ResponseCache(tmp_path / "c.db") as reader:
        with pytest.warns(NipWarning, match=r"c\.db cannot be written \(database is locked\)"):
            cache.put("a", {"text": "a"})
        cache.put("b", {"text": "b"})
        assert cache.get("b") == {"text": "b"}
        assert reader.get("b") is None
        locked.execute("ROLLBACK")
        monkeypatch.setattr(cache, "_retry_at", 1e-9)
        cache.put("d", {"text": "d"})
        assert [reader.get(name) for name in "abd"] == [{"text": name} for name in "abd"]


def test_entries_are_written_when_the_cache_is_closed(
    tmp_path: Path, locked: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_cache, "BUSY_TIMEOUT_MS", 1)
    lost, late = ResponseCache(tmp_path / "c.db"), ResponseCache(tmp_path / "c.db")
    with pytest.warns(NipWarning, match="cannot be written"):
        lost.put("a", {"text": "a"})
    with pytest.warns(NipWarning, match="1 answers are missing in the response cache"):
        lost.close()
    with pytest.warns(NipWarning, match="cannot be written"):
        late.put("b", {"text": "b"})
    locked.execute("ROLLBACK")
    late.close()
    with ResponseCache(tmp_path / "c.db") as reader:
        assert reader.get("a") is None
        assert reader.get("b") == {"text": "b"}


def test_entries_that_a_cache_could_not_write_are_written_by_the_next_one(
    tmp_path: Path, locked: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_cache, "BUSY_TIMEOUT_MS", 1)
    unsaved: dict[str, str] = {}
    first = ResponseCache(tmp_path / "c.db", unsaved)
    with pytest.warns(NipWarning, match="cannot be written"):
        first.put("a", {"text": "a"})
    with pytest.warns(NipWarning, match="1 answers are missing"):
        first.close()
    locked.execute("ROLLBACK")
    with ResponseCache(tmp_path / "c.db", unsaved) as second:
        assert second.get("a") == {"text": "a"}
        second.put("b", {"text": "b"})
    assert unsaved == {}
    with ResponseCache(tmp_path / "c.db") as reader:
        assert [reader.get(name) for name in "ab"] == [{"text": "a"}, {"text": "b"}]
