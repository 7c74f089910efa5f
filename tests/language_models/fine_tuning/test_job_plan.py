"""Attempts at a job have deterministic keys, which depend on everything that defines them."""

import dataclasses
from types import SimpleNamespace

import pytest

from nip.language_models.fine_tuning.datasets import FineTuningDataset
from nip.language_models.fine_tuning.job_names import job_key
from nip.language_models.fine_tuning.job_plan import (
    JobPlan,
    first_attempt,
    next_attempt,
    request_of,
)

BACKEND = SimpleNamespace(name="fake")
DATASET = FineTuningDataset("supervised", b"{}\n", 1)
PLAN = JobPlan("verifier", "base", DATASET, seed=2**31 + 5, n_epochs=3)


def test_a_row_describes_the_plan() -> None:
    row = first_attempt("run", 2, PLAN, BACKEND)
    assert (row.status, row.attempt, row.seed) == ("PLANNED", 0, 5)
    assert row.hyper_params == {"n_epochs": 3}
    assert row.dataset_path == "fine_tuning/iteration_0002_verifier.jsonl"
    assert row == first_attempt("run", 2, PLAN, BACKEND)


def test_the_key_is_that_of_earlier_versions_which_counted_iterations_from_0() -> None:
    parts = {"run": "run", "iteration": 1, "group": "verifier", "attempt": 0, "backend": "fake"}
    parts |= {"base_model": "base", "method": "supervised", "hyper_params": {"n_epochs": 3}}
    key = job_key(**parts, seed=5, dataset_sha256=DATASET.sha256)
    row = first_attempt("run", 2, PLAN, BACKEND)
    assert row.key == key
    assert row.iteration == 2
    assert request_of("run", dataclasses.replace(row, file_id="f")).metadata["nip_iteration"] == "2"


@pytest.mark.parametrize(
    "change",
    [
        {"group": "prover"},
        {"base_model": "other"},
        {"dataset": dataclasses.replace(DATASET, content=b"[]\n")},
        {"seed": 6},
        {"n_epochs": 4},
        {"beta": 0.1},
    ],
)
def test_another_plan_has_another_key(change) -> None:
    other = first_attempt("run", 2, dataclasses.replace(PLAN, **change), BACKEND)
    assert other.key != first_attempt("run", 2, PLAN, BACKEND).key


def test_another_run_or_iteration_has_another_key() -> None:
    keys = {first_attempt(*place, PLAN, BACKEND).key for place in (("a", 1), ("a", 2), ("b", 1))}
    assert len(keys) == 3


def test_the_next_attempt_forgets_the_result_and_gets_a_new_key() -> None:
    first = first_attempt("run", 1, PLAN, BACKEND)
    failed = dataclasses.replace(
        first, status="FAILED", file_id="f", job_id="j", error="e", has_stopped_run=True
    )
    again = next_attempt("run", failed)
    assert (again.attempt, again.status, again.file_id, again.job_id) == (1, "PLANNED", None, None)
    assert again.error is None and not again.has_stopped_run
    assert again.key != first.key and again.suffix != first.suffix
    assert again.dataset_sha256 == first.dataset_sha256


def test_a_request_carries_key_and_hyper_parameters() -> None:
    row = dataclasses.replace(first_attempt("run", 1, PLAN, BACKEND), file_id="file-1")
    request = request_of("run", row)
    assert (request.key, request.training_file_id, request.n_epochs) == (row.key, "file-1", 3)
    assert request.hyper_params == {"n_epochs": 3}
    assert row.key in request.metadata.values() and request.suffix == row.suffix
