"""Nested transactions of the database."""

import math
import sqlite3
import threading

import pytest

from nip.experiment_settings import ExperimentSettings
from nip.run_store import Run, open_database
from nip.run_store.database import RunDatabase


@pytest.fixture
def database(tmp_path):
    database = RunDatabase(tmp_path / "run.db")
    yield database
    database.close()


@pytest.fixture
def run(tmp_path):
    with Run.open(ExperimentSettings(runs_dir=tmp_path / "runs"), "r", {"seed": 1}) as run:
        yield run


def write_everywhere(run, divisor=2):
    run.journal.put("train/0/0/0/a/0", {"text": "hello"})
    run.rollouts.add("train", 0, 0, {"messages": []})
    run.set_state("stage", {"name": "log_stats", "iteration": 0})
    run.log(0, {"loss": 0.5})
    return 1 / divisor


def set_state_and_fail(database):
    database.set_state("inner", "1")
    raise KeyError


def seen_by_others(run):
    with open_database(run.folder) as database:
        return (
            len(database.journal),
            database.rollouts.positions("train", 0),
            database.load_history().names(),
        )


def test_nothing_can_be_seen_before_the_end_and_all_afterwards(run):
    with run.transaction():
        write_everywhere(run)
        assert run.rollouts.positions("train", 0) == [0]
        assert seen_by_others(run) == (0, [], [])
    assert seen_by_others(run) == (1, [0], ["loss"])
    assert run.get_state("stage") == {"name": "log_stats", "iteration": 0}


def test_an_error_undoes_everything_also_the_history_in_memory(run):
    run.log(0, {"accuracy": 1.0})
    with pytest.raises(ZeroDivisionError), run.transaction():
        write_everywhere(run, divisor=0)
    assert run.history.latest_all() == {"accuracy": 1.0}
    assert seen_by_others(run) == (0, [], ["accuracy"])
    assert run.get_state("stage", "none") == "none"


def test_a_caught_error_in_an_inner_transaction_undoes_the_inner_part_only(database):
    with database.transaction():
        database.log_metrics(0, {"a": 1.0})
        with pytest.raises(ValueError, match="could not convert"):
            database.log_metrics(0, {"b": 2.0, "c": "not a number"})
        with pytest.raises(KeyError), database.transaction():
            set_state_and_fail(database)
        database.log_metrics(0, {"d": math.inf})
    assert database.load_history().latest_all() == {"a": 1.0, "d": math.inf}
    assert database.get_state("inner", "undone") == "undone"


def test_after_an_error_the_next_transaction_is_a_new_one(database):
    with pytest.raises(KeyboardInterrupt), database.transaction():
        raise KeyboardInterrupt
    assert not database.transaction.is_open
    database.set_state("after", "stored")
    assert database.get_state("after", "") == "stored"


def test_a_thread_waits_for_the_transaction_of_another(database):
    entered, order = threading.Event(), []

    def work():
        entered.set()
        database.set_state("who", "other")
        order.append("other")

    with database.transaction():
        other = threading.Thread(target=work)
        other.start()
        entered.wait()
        database.set_state("who", "own")
        order.append("own")
    other.join()
    assert order == ["own", "other"]
    assert database.get_state("who", "") == "other"


def test_the_state_of_a_run_is_apart_from_its_status(run):
    run.set_state("status", ["mine"])
    assert run.status == "running"
    assert run.get_state("status") == ["mine"]
    assert run.get_state("missing", 7) == 7


def test_a_state_that_would_change_is_refused(run):
    with pytest.raises(TypeError, match=r"state has the key 1 of type int"):
        run.set_state("stage", {1: "a"})


def test_a_statement_that_fails_is_undone_alone(database):
    twice = "INSERT INTO run_state VALUES ('x', '1'), ('x', '2')"
    with pytest.raises(sqlite3.IntegrityError):
        database.transaction.execute(twice, ())
    with database.transaction():
        database.set_state("kept", "1")
        with pytest.raises(sqlite3.IntegrityError):
            database.transaction.execute(twice, ())
    assert database.get_state("x", "none") == "none"
    assert database.get_state("kept", "none") == "1"
