"""The tables of the mock API store what they are given."""

import pytest

from nip.language_models.server.job_record import JobRecord
from nip.language_models.server.state import EndpointState
from nip.language_models.server.tables import FAULTS, number_in


@pytest.fixture
def state():
    opened = EndpointState()
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("identifier", "number"),
    [("file-00000012", 12), ("file-", 0), ("job-12", 0), ("file-1x", 0), ("file-" + "9" * 16, 0)],
)
def test_only_well_formed_ids_have_a_number(identifier: str, number: int) -> None:
    assert number_in(identifier, "file-") == number


def test_ids_of_deleted_files_are_not_reused(state: EndpointState) -> None:
    first = state.files.add("a", "fine-tune", b"a")
    state.files.delete(first)
    second = state.files.add("b", "fine-tune", b"b")
    assert (first.id, second.id) == ("file-00000001", "file-00000002")
    assert state.files.get(first.id) is None and state.files.content(second) == b"b"


def test_jobs_keep_their_changes(state: EndpointState) -> None:
    job = state.jobs.add(JobRecord(0, {"seed": 1}, 1.0, "ft:m", 1, 1, 1, 0.0))
    job.enter("running", 2.0)
    state.jobs.save(job)
    assert state.jobs.get(job.id) == job and len(state.jobs) == 1


def test_a_model_of_the_same_name_is_replaced(state: EndpointState) -> None:
    for data in ({"a": 1}, {"a": 2}):
        state.models.add("ft:m", data)
        assert state.models.data("ft:m") == data
    assert [name for name, _ in state.models.all()] == ["ft:m"]
    state.models.delete("ft:m")
    assert "ft:m" not in state.models and state.models.data("ft:m") is None


def test_counters_return_the_value_before(state: EndpointState) -> None:
    assert [state.counters.count_request(b"d") for _ in range(2)] == [0, 1]
    assert [state.counters.increment(FAULTS, "slow") for _ in range(2)] == [0, 1]
    state.counters.count_generation(b"d", 10, 3)
    counters = state.counters.read(num_jobs=0)
    assert (counters.num_requests, counters.num_generations) == (2, 1)
    assert (counters.prompt_tokens, counters.completion_tokens) == (10, 3)
    assert counters.generations == {b"d".hex(): 1} and counters.faults == {"slow": 2}
