"""Datasets in folders and single files are found, read and checked."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nip.errors import DatasetError
from nip.parameters.scenarios.code_validation import CodeValidationParameters
from nip.scenario_base.text.datapoint import prover_stance_of
from nip.scenarios.code_validation.sources.folders import FolderSource, load_folder
from nip.scenarios.code_validation.sources.source import DatasetRequest
from tests.scenarios.code_validation.sources.rows import BAD, GOOD, write


def request(name: str, data_dir: Path | str = "data") -> DatasetRequest:
    return DatasetRequest(name, Path(data_dir), CodeValidationParameters())


def test_a_folder_of_the_data_folder_is_found_by_name(tmp_path: Path) -> None:
    home = tmp_path / "code_validation" / "mine" / "raw"
    write(home / "train" / "a.jsonl", GOOD)
    write(home / "train" / "b.jsonl", BAD)
    write(home / "test" / "data.jsonl", BAD)
    FolderSource().check(request("mine", tmp_path))
    train = FolderSource().load(request("mine", tmp_path), "train")
    assert [(each.solution, each.y) for each in train] == [
        (GOOD["solution"], 1),
        (BAD["solution"], 0),
    ]
    assert len(FolderSource().load(request("mine", tmp_path), "test")) == 1


def test_two_files_in_a_folder_are_enough(working_folder: Path) -> None:
    for split in ("train", "test"):
        write(working_folder / "mine" / f"{split}.jsonl", GOOD, {**BAD, "difficulty": "easy"})
    FolderSource().check(request("./mine"))
    (_, second) = FolderSource().load(request("./mine"), "train")
    assert second.extra == {"difficulty": "easy"}


def test_a_single_file_needs_a_column_that_names_the_split(working_folder: Path) -> None:
    write(working_folder / "mine.jsonl", {**GOOD, "split": "train"}, {**BAD, "split": "test"})
    for name in ("mine.jsonl", "./mine.jsonl", str(working_folder / "mine.jsonl")):
        FolderSource().check(request(name))
        assert [each.y for each in FolderSource().load(request(name), "test")] == [0]
    write(working_folder / "mine.jsonl", {**GOOD, "split": "train"}, BAD)
    message = r"mine.jsonl, row 2: the column 'split' must be.*got None.*train.jsonl and test.jsonl"
    with pytest.raises(DatasetError, match=message):
        FolderSource().load(request("./mine.jsonl"), "train")
    (working_folder / "mine.csv").touch()
    with pytest.raises(DatasetError, match=r"must end in .jsonl or .parquet"):
        FolderSource().check(request("./mine.csv"))


def test_a_missing_dataset_comes_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"create_cv_dataset.py my_programs --data-dir"):
        FolderSource().check(request("my_programs", tmp_path))


def test_a_misspelt_built_in_dataset_is_suggested(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"Did you mean 'test'\?.*Built in: .*test"):
        FolderSource().check(request("tst", tmp_path))
    with pytest.raises(DatasetError, match=r"Did you mean 'lrhammond/buggy-apps'\?"):
        FolderSource().check(request("lrhammond/buggy-aps", tmp_path))


def test_a_missing_split_is_named(tmp_path: Path) -> None:
    write(tmp_path / "code_validation" / "mine" / "raw" / "train" / "data.jsonl", GOOD)
    with pytest.raises(DatasetError, match="has no test split"):
        FolderSource().check(request("mine", tmp_path))


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write(tmp_path / f"{split}.jsonl")
    with pytest.raises(DatasetError, match=r"train.jsonl has no rows"):
        load_folder(tmp_path, "train")


def test_contradicting_labels_are_told(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", GOOD, {**GOOD, "y": 0})
    with pytest.raises(DatasetError, match=r"occurs as correct .* and as buggy"):
        load_folder(tmp_path, "train")


@pytest.fixture(scope="module")
def rows_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rows")


@settings(max_examples=20)
@given(
    rows=st.lists(
        st.builds(
            dict,
            question=st.text(min_size=1).filter(str.strip),
            solution=st.text(min_size=1).filter(str.strip),
            y=st.integers(0, 1),
            tests=st.lists(st.integers()),
        ),
        min_size=1,
        max_size=5,
        unique_by=lambda row: (row["question"], row["solution"]),
    )
)
def test_any_text_survives_the_file(rows: list[dict], rows_folder: Path) -> None:
    path = write(rows_folder / "train.jsonl", *rows)
    dataset = load_folder(path.parent, "train")
    found = [
        {"question": each.question, "solution": each.solution, "y": each.y, **each.extra}
        for each in dataset
    ]
    assert found == rows
    assert [each.prover_stance for each in dataset] == [
        prover_stance_of(row["solution"]) for row in rows
    ]


def test_parquet_files_are_read(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = [{**GOOD, "difficulty": "easy"}, {**BAD, "difficulty": None}]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "train.parquet")
    first, second = load_folder(tmp_path, "train")
    assert (first.y, first.extra) == (1, {"difficulty": "easy"})
    assert (second.y, second.extra) == (0, {})
    rows[1]["solution"] = None
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "train.parquet")
    with pytest.raises(DatasetError, match=r"train.parquet, row 2: the column 'solution' is miss"):
        load_folder(tmp_path, "train")
    (tmp_path / "train.parquet").write_text("no table")
    with pytest.raises(DatasetError, match=r"train.parquet cannot be read as Parquet"):
        load_folder(tmp_path, "train")
