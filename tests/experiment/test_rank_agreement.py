"""Ranks of a data-parallel training that would not do the same."""

import os

import pytest

from tests.experiments import make_params
from tests.forked_ranks import run_on_ranks

CHILD = "tests.experiment.ranks_child:run_differently"


@pytest.fixture(scope="module")
def messages(tmp_path_factory):
    """Return what both ranks say if the parameters, or the data, of the second differ."""
    jobs = []
    for changes, data in (({"rl.lr": 0.5, "seed": 4}, False), ({}, True)):
        folder = tmp_path_factory.mktemp("runs")
        parameters = make_params().to_dict()
        job = {"folder": str(folder), "parameters": parameters, "changes": changes, "data": data}
        jobs.append((CHILD, job))
    told = [[rank.result for rank in ranks] for ranks in run_on_ranks(*jobs)]
    folders = [job["folder"] for _, job in jobs]
    return dict(zip(("parameters", "data"), zip(told, folders, strict=True), strict=True))


def test_other_parameters_are_named_on_all_ranks_before_anything_is_made(messages):
    (first, second), folder = messages["parameters"]
    assert first == second
    assert "Rank 1 differs from rank 0 (rank 0 → rank 1):" in first
    assert "rl.lr: " in first and " → 0.5" in first
    assert "seed: 3 → 4" in first
    assert os.listdir(folder) == []


def test_another_dataset_is_named_on_all_ranks(messages):
    (first, second), _ = messages["data"]
    assert first == second
    assert "digest of the train dataset: " in first and "→ 'another'" in first
