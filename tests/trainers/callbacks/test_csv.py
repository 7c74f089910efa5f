"""The table of all metrics, read back."""

import csv
from unittest.mock import patch

import pytest

from nip.errors import NipWarning
from nip.trainers.callbacks import csv as csv_callback
from nip.trainers.callbacks.csv import Csv
from nip.utils.files import write_atomically
from tests.trainers.callbacks.scripted_training import ScriptedTraining, scripted_history


def read(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.reader(file))


def test_each_iteration_is_a_row_and_is_there_at_once(tmp_path):
    training = ScriptedTraining(Csv(), tmp_path)
    assert read(tmp_path) == [["iteration"]]
    training.iterate({"loss": 0.1, "a.b": 1 / 3})
    assert read(tmp_path) == [["iteration", "a.b", "loss"], ["1", "0.3333333333333333", "0.1"]]
    training.iterate({"loss": -0.0, "a.b": float("nan")})
    training.iterate({"loss": 4})
    assert read(tmp_path)[2:] == [["2", "nan", "0.0"], ["3", "", "4.0"]]


def test_what_is_logged_twice_in_an_iteration_is_one_row(tmp_path):
    training = ScriptedTraining(Csv(), tmp_path)
    for iteration in range(1, 4):
        training.iterate({"loss": 1.0 / iteration}, {"test": 10.0 * iteration})
    training.log(3, {"test": 7.0})
    assert read(tmp_path) == [
        ["iteration", "loss", "test"],
        ["1", "1.0", "10.0"],
        ["2", "0.5", "20.0"],
        ["3", "0.3333333333333333", "7.0"],
    ]


def test_a_new_metric_is_a_new_column(tmp_path):
    training = ScriptedTraining(Csv(), tmp_path)
    training.iterate({"loss": 1.0})
    training.iterate({"loss": 2.0, "extra": 5.0})
    training.iterate({"loss": 3.0})
    assert read(tmp_path) == [
        ["iteration", "extra", "loss"],
        ["1", "", "1.0"],
        ["2", "5.0", "2.0"],
        ["3", "", "3.0"],
    ]


def test_after_an_interruption_nothing_is_there_twice(tmp_path):
    rows = [{"loss": 1.0, "test": 0.5}, {"loss": 2.0}, {"loss": 3.0}, {"loss": 4.0, "late": 1.0}]
    first = ScriptedTraining(Csv(), tmp_path)
    for row in rows[:3]:
        first.iterate(row)
    # The kill came in the middle of a line, and the checkpoint was that of the second iteration.
    with (tmp_path / "metrics.csv").open("a") as file:
        file.write("4,3.")
    second = ScriptedTraining(Csv(), tmp_path, history=scripted_history(*rows[:2]), done=2)
    for row in rows[2:]:
        second.iterate(row)
    resumed = (tmp_path / "metrics.csv").read_bytes()
    whole = ScriptedTraining(Csv(), tmp_path)
    for row in rows:
        whole.iterate(row)
    assert resumed == (tmp_path / "metrics.csv").read_bytes()
    assert [row[0] for row in read(tmp_path)] == ["iteration", "1", "2", "3", "4"]


def test_a_test_that_an_interruption_had_delayed_joins_the_last_row(tmp_path):
    history = scripted_history({"loss": 1.0, "test": 0.5}, {"loss": 2.0})
    training = ScriptedTraining(Csv(), tmp_path, history=history, done=2)
    training.log(2, {"test": 0.75})
    assert read(tmp_path) == [
        ["iteration", "loss", "test"],
        ["1", "1.0", "0.5"],
        ["2", "2.0", "0.75"],
    ]


def test_an_iteration_from_before_is_put_in_its_place(tmp_path):
    training = ScriptedTraining(Csv(), tmp_path)
    training.iterate({"loss": 1.0})
    training.iterate({"loss": 2.0})
    training.log(0, {"loss": 9.0})
    training.iterate({"loss": 3.0})
    assert [row[0] for row in read(tmp_path)] == ["iteration", "0", "1", "2", "3"]


@pytest.mark.parametrize("kind", ["late values", "new columns"])
def test_a_long_table_is_not_written_anew_for_each_row(tmp_path, kind):
    written = []

    def count(path, content):
        written.append(len(content.splitlines()))
        write_atomically(path, content)

    training = ScriptedTraining(Csv(), tmp_path)
    num_rows = 400
    with patch.object(csv_callback, "write_atomically", count):
        for number in range(1, num_rows + 1):
            training.iterate({"loss": 1.0})
            if kind == "late values":
                training.log(number - 1, {"loss": 2.0})
            elif number % 2:
                training.log(number, {f"only.{number}": 3.0})
        training.end()
    # A file per row would be 80,000 rows in all.
    assert sum(written) < 30 * num_rows
    header, *rows = read(tmp_path)
    assert [int(row[0]) for row in rows][-num_rows:] == list(range(1, num_rows + 1))
    if kind == "late values":
        assert [row[1] for row in rows] == ["2.0"] * num_rows + ["1.0"]
    else:
        assert len(header) == 2 + num_rows // 2


def test_a_trainer_that_keeps_nothing_is_told_that_there_is_no_file():
    with pytest.warns(NipWarning, match="'csv' writes nothing.*run_experiment"):
        training = ScriptedTraining(Csv())
    training.iterate({"loss": 1.0})


def test_a_disk_that_cannot_be_written_is_no_secret(tmp_path):
    training = ScriptedTraining(Csv(), tmp_path)
    training.iterate({"loss": 1.0})
    (tmp_path / "metrics.csv").unlink()
    (tmp_path / "metrics.csv").mkdir()
    with pytest.raises(OSError, match=r"metrics\.csv"):
        training.iterate({"loss": 2.0})


@pytest.mark.parametrize("other", ["", "iteration,loss\n1,1.0\n2,2.0\n3,3.0\n4,4.0\n"])
def test_a_table_that_somebody_has_changed_is_written_anew(tmp_path, other):
    training = ScriptedTraining(Csv(), tmp_path)
    training.iterate({"loss": 1.0})
    training.iterate({"loss": 2.0})
    (tmp_path / "metrics.csv").write_text(other)
    training.log(2, {"loss": 2.5})
    training.iterate({"loss": 3.0})
    training.end()
    assert read(tmp_path) == [["iteration", "loss"], ["1", "1.0"], ["2", "2.5"], ["3", "3.0"]]
