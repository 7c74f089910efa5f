from pathlib import Path

import pytest

from nip.errors import ParameterError
from nip.language_models.engine.cache import ResponseCache
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
