"""The state of the mock API survives in its file."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import openai
import pytest

from nip.errors import NipWarning, ParameterError
from nip.language_models.server import state as server_state
from nip.language_models.server.chat_request import ChatRequest, chat_digest
from nip.language_models.server.state import EndpointState
from nip.utils import sqlite_locks
from tests.language_models.server.clients import MODEL, ask, text_of, use
from tests.language_models.server.training_data import upload, wait_for


def test_everything_is_restored_from_the_state_file(tmp_path: Path) -> None:
    options = {"state_path": str(tmp_path / "endpoint.db"), "job_polls": 4}

    async def begin(client, endpoint):
        await ask(client, seed=1)
        file = await upload(client)
        trained = await client.fine_tuning.jobs.create(model=MODEL, training_file=file.id)
        trained, _ = await wait_for(client, trained)
        begun = await client.fine_tuning.jobs.create(
            model=MODEL, training_file=file.id, metadata={"key": "k"}
        )
        begun = await client.fine_tuning.jobs.retrieve(begun.id)
        return file, trained, begun, endpoint.counters()

    file, trained, begun, counters = use(begin, **options)

    async def go_on(client, endpoint):
        assert endpoint.counters() == counters
        assert await client.files.retrieve(file.id) == file
        assert await client.fine_tuning.jobs.retrieve(trained.id) == trained
        assert await text_of(client, "question 3", model=trained.fine_tuned_model) == "learnt 3"
        _, seen = await wait_for(client, begun)
        assert seen == ["queued", "running", "running", "succeeded"]
        another = await client.fine_tuning.jobs.create(model=MODEL, training_file=file.id)
        assert another.id not in (trained.id, begun.id)
        await ask(client, seed=1)
        return endpoint.counters()

    later = use(go_on, **options)
    assert later.num_generations == counters.num_generations + 2
    assert sorted(later.generations.values()) == [1, 2]


def test_faults_continue_the_same_after_a_restart(tmp_path: Path) -> None:
    async def attempts(client, endpoint, num: int = 12):
        outcomes = []
        for _ in range(num):
            try:
                outcomes.append(await text_of(client))
            except openai.InternalServerError:
                outcomes.append("")
        return outcomes

    options = {"faults": ("server_error",), "fault_rate": 0.5}
    whole = use(attempts, **options)
    options["state_path"] = str(tmp_path / "endpoint.db")
    halves = [use(lambda c, e: attempts(c, e, 6), **options) for _ in range(2)]
    assert halves[0] + halves[1] == whole and "" in whole and any(whole)


def test_generations_are_counted_by_the_digest_of_the_request() -> None:
    async def work(client, endpoint):
        for seed in (1, 2, 1):
            await ask(client, "Hello", seed=seed, temperature=0.5, max_tokens=9)
        return endpoint.counters().generations

    def digest(seed: int) -> str:
        body = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}
        more = {"seed": seed, "temperature": 0.5, "max_tokens": 9}
        request = ChatRequest.from_body({**body, **more})
        return chat_digest(request.model, request.messages, request.sampling).hex()

    assert use(work) == {digest(1): 2, digest(2): 1}


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    state = EndpointState(str(tmp_path / "endpoint.db"))

    def fail_in_the_middle() -> None:
        with state.transaction():
            state.files.add("a", "fine-tune", b"a")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_in_the_middle()
    assert state.files.all() == []
    state.close()


def foreign_database(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE metrics (value REAL)")
    connection.close()


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (foreign_database, "not a state file of the mock API"),
        (lambda path: path.write_bytes(b"no database at all" * 100), "not a database"),
        (lambda path: path.mkdir(), "cannot be stored"),
    ],
    ids=["foreign", "garbage", "folder"],
)
def test_foreign_files_are_left_unchanged(tmp_path: Path, prepare, message: str) -> None:
    path = tmp_path / "endpoint.db"
    prepare(path)
    with pytest.raises(ParameterError, match=message):
        EndpointState(str(path))


def test_the_folder_of_the_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="Create it"):
        EndpointState(str(tmp_path / "missing" / "endpoint.db"))


def increment(state: EndpointState) -> None:
    state.counters.increment("kind", "name")


def increment_in_transaction(state: EndpointState) -> None:
    with state.transaction():
        increment(state)


@pytest.mark.parametrize("write", [increment, increment_in_transaction])
def test_a_locked_state_file_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[EndpointState], None]
) -> None:
    monkeypatch.setattr(sqlite_locks, "_ANNOUNCED_S", 0.02)
    monkeypatch.setattr(server_state, "BUSY_TIMEOUT_MS", 1)
    path = tmp_path / "endpoint.db"
    with (
        closing(EndpointState(str(path))) as state,
        closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        releasing = threading.Timer(0.2, other.execute, ["ROLLBACK"])
        releasing.start()
        with pytest.warns(NipWarning, match=r"endpoint\.db (has been locked|can be written)"):
            write(state)
        releasing.join()
        assert state.counters.increment("kind", "name") == 1  # the count before
