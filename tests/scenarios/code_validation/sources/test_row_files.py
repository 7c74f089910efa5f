"""Invalid rows and files are reported with file and line."""

import json
from pathlib import Path
from typing import Any

import pytest

from nip.errors import DatasetError
from nip.scenarios.code_validation.sources.row_files import read_rows
from tests.scenarios.code_validation.sources.rows import GOOD, write


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ([1], r"a row must be an object with the columns question, solution, y, got \[1\]"),
        ({"question": "Add.", "y": 1}, "the column 'solution' is missing.*has question, y"),
        ({**GOOD, "question": " "}, "question must be a non-empty string, got ' '"),
        ({**GOOD, "solution": 3}, "solution must be a non-empty string, got 3"),
        ({**GOOD, "y": 2}, r"y must be 1 \(the solution is correct\) or 0 \(it is buggy\), got 2"),
        ({**GOOD, "y": "1"}, "got '1'"),
        ({**GOOD, "y": 1.0}, "got 1.0"),
        ({**GOOD, "y": None}, "got None"),
        ({**GOOD, "difficulty": 3}, "difficulty must be a string, got 3"),
        ({**GOOD, "tests": 3}, "tests must be a list, an object or a string, got 3"),
    ],
)
def test_a_broken_rule_is_told_with_file_and_line(tmp_path: Path, row: Any, rule: str) -> None:
    path = write(tmp_path / "data.jsonl", GOOD, row)
    with pytest.raises(DatasetError, match=rf"data\.jsonl, line 2: .*{rule}"):
        list(read_rows(path))


def test_lines_that_are_no_json_are_told(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps(GOOD) + "\n\n{'question'\n")
    with pytest.raises(DatasetError, match=r"line 3: not valid JSON .*one object per line"):
        list(read_rows(path))
    path.write_bytes(b'{"question": "\xff"}')
    with pytest.raises(DatasetError, match=r"not UTF-8 text \(byte 14\)"):
        list(read_rows(path))
    with pytest.raises(DatasetError, match="cannot be read"):
        list(read_rows(tmp_path / "other.jsonl"))


def test_parquet_without_its_library_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(DatasetError, match=r"pip install 'nip\[parquet\]'"):
        list(read_rows(tmp_path / "train.parquet"))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"tests": ' + "[" * 100_000, "nested more than 100 levels deep"),
        ('{"tests": ' + "[" * 300 + "]" * 300 + "}", "nested more than 100 levels deep"),
        ('{"y": 0, "question": "a", "y": 1}', "the name 'y' is given twice"),
        ('{"y": ' + "9" * 5000 + "}", "limit"),
    ],
    ids=["cut off", "deep", "twice", "long"],
)
def test_lines_that_nobody_should_write_are_told(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps(GOOD) + "\n" + line + "\n")
    with pytest.raises(DatasetError, match=rf"line 2: not valid JSON .*{said}") as caught:
        list(read_rows(path))
    assert len(str(caught.value)) < 1000


def test_byte_order_marks_and_line_ends_of_windows_are_read(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    line = json.dumps(GOOD).encode()
    path.write_bytes(b"\xef\xbb\xbf" + line + b"\r\n" + line + b"\r\n")
    assert [row.question for row in read_rows(path)] == [GOOD["question"]] * 2
