import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.errors import ResumeError
from nip.language_models.chat import Completion, ModelSpec, Sampling, TokenUsage
from nip.language_models.engine.call import request_digest
from nip.language_models.engine.journal import MemoryJournal, from_entry, read_journal, to_entry
from tests.language_models.models import answer, call


@given(st.text(), st.sampled_from(["stop", "length", "content_filter"]), st.integers(0, 10**9))
def test_an_answer_survives_the_journal(text: str, reason: str, tokens: int) -> None:
    completion = Completion(text, reason, TokenUsage(tokens, 7), "m")  # type: ignore[arg-type]
    entry = json.loads(json.dumps(to_entry(completion, "d")))
    assert from_entry(entry) == completion
    assert entry["digest"] == "d"


def test_the_answer_to_another_question_is_refused() -> None:
    journal = MemoryJournal()
    journal.put("train/0/1", to_entry(answer(), "one"))
    assert read_journal(journal, "train/0/1", "one") == (answer(), False)
    assert read_journal(journal, "train/0/2", "one") is None
    with pytest.raises(ResumeError, match=r"'train/0/1'.*a different request"):
        read_journal(journal, "train/0/1", "other")


def test_the_digest_tells_apart_what_matters_and_nothing_else() -> None:
    same = call("x")
    assert request_digest(call("x", agent="verifier", key="k")) == request_digest(same)
    moved = ModelSpec("scripted", "a-model", base_url="http://elsewhere")
    assert request_digest(call("x", model=moved)) == request_digest(same)
    different = [
        call("y"),
        call("x", model=ModelSpec("scripted", "b-model")),
        call("x", sampling=Sampling(temperature=0.5)),
        call("x", sampling=Sampling(seed=1)),
        call("x", sample_index=1),
    ]
    assert len({request_digest(other) for other in [same, *different]}) == 6


def test_the_digest_is_the_same_in_every_process() -> None:
    # Worked out once by hand: sha256 of the compact list of what is asked.
    import hashlib

    text = '["scripted", "a-model", [["user", "x"]], [null, null, null, null], 0]'
    assert request_digest(call("x")) == hashlib.sha256(text.encode()).hexdigest()
