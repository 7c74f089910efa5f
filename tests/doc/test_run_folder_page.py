"""The tables in the guide to the run folder are complete."""

import re
import sqlite3
from contextlib import closing

import pytest
import torch

from nip.experiment_settings import ExperimentSettings
from nip.run_store import Checkpoint, Run
from tests.text_experiments import run_text_experiment


@pytest.fixture
def guide(repository):
    return (repository / "doc" / "guides" / "run_folder.md").read_text(encoding="utf-8")


@pytest.fixture
def demo(working_folder):
    with Run.open(ExperimentSettings(), "demo", {"seed": 1}) as run:
        run.log(1, {"mean_accuracy": 0.5})
        run.log(2, {"mean_accuracy": 0.75, "test_mean_accuracy": 0.625})
        run.save_checkpoint(Checkpoint(2, {"verifier.body": {"weight": torch.ones(2)}}, {}))
        run.finish("completed")
    return run


def test_the_guide_names_every_file_of_a_run(guide, demo):
    assert first_column(guide, 0) == files_of(demo.folder)


def test_the_guide_names_every_file_and_table_of_a_run_of_language_models(guide, working_folder):
    folder = run_text_experiment(working_folder, "text").folder
    # Between them stands what callbacks add.
    named = first_column(guide, 0) | first_column(guide, 2)
    assert named - {"checkpoints"} == files_of(folder)
    with closing(sqlite3.connect(folder / "run.db")) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    (tables,) = re.findall(r"^\| table \|.*?\n\n", guide, flags=re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"^\| `(\w+)` \|", tables, flags=re.MULTILINE)) == {
        name for (name,) in rows
    }


def first_column(guide, number):
    """Return the files in one of the tables of files."""
    tables = re.findall(r"^\| file \|.*?\n\n", guide, flags=re.MULTILINE | re.DOTALL)
    return set(re.findall(r"^\| `([\w.]+)/?` \|", tables[number], flags=re.MULTILINE))


def files_of(folder):
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}
