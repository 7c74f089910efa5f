"""The table of fine-tuning jobs."""

import dataclasses
import sqlite3

import pytest

from nip.run_store import FineTuningJobRow
from nip.run_store.database import RunDatabase

ROW = FineTuningJobRow(
    key="nip-1",
    iteration=2,
    model_group="provers",
    attempt=0,
    status="PLANNED",
    backend="openai",
    base_model="gpt-4o-mini-2024-07-18",
    method="supervised",
    hyper_params={"n_epochs": 3},
    seed=5,
    suffix="provers-2",
    dataset_path="fine_tuning/2_provers.jsonl",
    dataset_sha256="ab" * 32,
    num_examples=10,
    file_name="nip.jsonl",
)


@pytest.fixture
def database(tmp_path):
    database = RunDatabase(tmp_path / "run.db")
    yield database
    database.close()


def other(**changes):
    return dataclasses.replace(ROW, **changes)


def save_and_fail(database):
    database.jobs.save(ROW)
    raise KeyError


def test_a_job_comes_back_as_it_was_saved_last(database):
    database.jobs.save(ROW)
    assert database.jobs.get("nip-1") == ROW
    done = other(
        status="SUCCEEDED",
        file_id="file-1",
        job_id="ftjob-1",
        model="ft:model",
        trained_tokens=1234,
        cost=0.25,
        error="none",
        has_stopped_run=True,
        events=({"message": "step 1", "data": {"train_loss": 0.5}},),
    )
    database.jobs.save(done)
    assert database.jobs.get("nip-1") == done
    assert database.jobs.all() == [done]
    assert database.jobs.get("nip-2") is None


def test_jobs_are_listed_by_iteration_group_and_attempt(database):
    rows = [
        other(key="a", iteration=1, model_group="verifier"),
        other(key="b", model_group="provers"),
        other(key="c", model_group="provers", attempt=1),
        other(key="d", model_group="verifier"),
    ]
    for row in reversed(rows):
        database.jobs.save(row)
    assert database.jobs.all() == rows
    assert database.jobs.of_iteration(2) == rows[1:]
    assert database.jobs.of_iteration(7) == []


def test_one_attempt_has_one_key(database):
    database.jobs.save(ROW)
    with pytest.raises(sqlite3.IntegrityError):
        database.jobs.save(other(key="nip-2"))


def test_jobs_may_be_saved_within_a_transaction(database):
    with pytest.raises(KeyError), database.transaction():
        save_and_fail(database)
    assert database.jobs.all() == []
    with database.transaction():
        database.jobs.save(ROW)
    assert database.jobs.all() == [ROW]
