"""The table of finished rollouts."""

import math
import sqlite3

import pytest

from nip.run_store.database import RunDatabase


@pytest.fixture
def database(tmp_path):
    database = RunDatabase(tmp_path / "run.db")
    yield database
    database.close()


def test_records_come_back_in_the_order_of_positions(database):
    for position in (10, 2, 0, 7):
        database.rollouts.add("train", 3, position, {"position": position, "reward": 0.1})
    database.rollouts.add("test", 3, 1, {"position": 1})
    database.rollouts.add("train", 12, 1, {"position": 1})
    assert database.rollouts.positions("train", 3) == [0, 2, 7, 10]
    loaded = list(database.rollouts.load("train", 3))
    assert [record["position"] for record in loaded] == [0, 2, 7, 10]
    assert loaded[0]["reward"] == 0.1
    assert database.rollouts.iterations("train") == [3, 12]
    assert database.rollouts.iterations("test") == [3]
    database.rollouts.delete("train", 3)
    assert database.rollouts.positions("train", 3) == []
    assert database.rollouts.iterations("train") == [12]
    assert database.rollouts.positions("test", 3) == [1]


def test_special_floats_and_characters_come_back(database):
    record = {"value": math.nan, "large": math.inf, "text": "a < b & \ud800", "none": None}
    database.rollouts.add("train", 0, 0, record)
    (loaded,) = database.rollouts.load("train", 0)
    assert math.isnan(loaded.pop("value"))
    assert loaded == {"large": math.inf, "text": "a < b & \ud800", "none": None}


def test_a_rollout_takes_its_messages_out_of_the_journal(database):
    for position in (1, 17):
        database.journal.put(f"train/0/{position}/0/prover/0", {"text": "a"})
    database.rollouts.add("train", 0, 1, {"messages": ["a"]}, forget="train/0/1/")
    assert database.journal.get("train/0/1/0/prover/0") is None
    assert database.journal.get("train/0/17/0/prover/0") == {"text": "a"}


def test_a_rollout_that_cannot_be_stored_leaves_its_messages(database, monkeypatch):
    database.journal.put("train/0/1/0/prover/0", {"text": "a"})
    with pytest.raises(TypeError):
        database.rollouts.add("train", 0, 1, {"messages": object()}, forget="train/0/1")

    def fail(prefix, keep):
        raise sqlite3.OperationalError("disk full")

    monkeypatch.setattr(database.journal, "forget", fail)
    with pytest.raises(sqlite3.OperationalError):
        database.rollouts.add("train", 0, 1, {"messages": ["a"]}, forget="train/0/1")
    assert database.rollouts.positions("train", 0) == []
    assert len(database.journal) == 1


def test_rollouts_can_be_replaced_and_added_while_they_are_gone_through(database):
    database.rollouts.add("train", 0, 0, {"n": 0})
    database.rollouts.add("train", 0, 1, {"n": 1})
    seen = []
    for record in database.rollouts.load("train", 0):
        seen.append(record["n"])
        database.rollouts.add("train", 0, 1, {"n": 5})
        database.rollouts.add("train", 0, 2, {"n": 2})
    assert seen == [0, 5]


def test_a_rollout_of_four_messages_takes_less_than_20_kilobytes(tmp_path):
    """150 words of 8 letters per message, each stored raw and as seen on its channel."""
    path = tmp_path / "small.db"
    database = RunDatabase(path)
    text = "abcdefg " * 150
    num_rollouts = 100
    for round in range(4):
        for position in range(num_rollouts):
            entry = {"text": text, "finish_reason": "stop", "digest": "0" * 64}
            database.journal.put(f"train/0/{position}/{round}/prover/0", entry)
    messages = [{"agent": "prover", "text": text, "channel_texts": {"main": text}}] * 4
    for position in range(num_rollouts):
        prefix = f"train/0/{position}"
        database.rollouts.add("train", 0, position, {"messages": messages}, forget=prefix)
    database.close()
    assert path.stat().st_size / num_rollouts < 20_000
