from pathlib import Path

import pytest

from nip.errors import ParameterError
from nip.language_models.cache import ResponseCache, cache_key
from nip.language_models.call import request_digest
from nip.language_models.chat import ModelSpec
from tests.language_models.models import call


def test_answers_outlive_the_process(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "cache.db"
    with ResponseCache(path) as cache:
        assert cache.get("a") is None
        cache.put("a", {"text": "Grüße \u2028", "n": 1})
    with ResponseCache(path) as cache:
        assert cache.get("a") == {"text": "Grüße \u2028", "n": 1}


def test_the_first_answer_stays_for_two_runs_at_once(tmp_path: Path) -> None:
    with ResponseCache(tmp_path / "c.db") as one, ResponseCache(tmp_path / "c.db") as two:
        one.put("a", {"text": "first"})
        two.put("a", {"text": "second"})
        assert one.get("a") == two.get("a") == {"text": "first"}


def test_a_file_that_is_no_cache_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to be taken for one" * 100)
    with pytest.raises(ParameterError, match=r"notes\.txt.*cannot be used"):
        ResponseCache(path)


def test_two_servers_with_one_name_do_not_share_answers() -> None:
    here = call(model=ModelSpec("openai", "llama", "http://here"))
    there = call(model=ModelSpec("openai", "llama", "http://there"))
    digest = request_digest(here)
    assert digest == request_digest(there)
    assert cache_key(here, digest) != cache_key(there, digest)
