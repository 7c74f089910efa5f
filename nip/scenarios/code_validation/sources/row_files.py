"""Reading of rows from JSONL and Parquet files."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nip.errors import DatasetError
from nip.scenarios.code_validation.sources.rows import Row, check_row
from nip.utils.exact_json import load_strictly
from nip.utils.files import regular

SUFFIXES = (".jsonl", ".parquet")
"""Supported file suffixes."""


def read_rows(path: Path) -> Iterator[Row]:
    """Read all rows of a file.

    Raises
    ------
    DatasetError
        If the file cannot be read or has an invalid row; the message names file and line.
    """
    read = _read_parquet if path.suffix == ".parquet" else _read_jsonl
    for place, content in read(path):
        yield check_row(content, place)


def _read_jsonl(path: Path) -> Iterator[tuple[str, Any]]:
    try:
        text = regular(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"{path} is not UTF-8 text (byte {error.start}). Save it as UTF-8."
        ) from error
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}.") from error
    # Not splitlines, which also splits at other characters, which JSON strings may contain.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            place = f"{path}, line {number}"
            try:
                yield place, load_strictly(line)
            except ValueError as error:
                raise DatasetError(
                    f"{place}: not valid JSON ({error}). Write one object per line."
                ) from error


def _read_parquet(path: Path) -> Iterator[tuple[str, Any]]:
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise DatasetError(
            f"Reading {path} needs pyarrow, which is not installed. Install it with: "
            "pip install 'nip[parquet]', or save the rows as JSONL."
        ) from error
    try:
        rows = parquet.read_table(regular(path)).to_pylist()
    except Exception as error:  # Damaged and unusual files make pyarrow raise many types.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DatasetError(f"{path} cannot be read as Parquet: {reason}") from error
    for number, content in enumerate(rows, start=1):
        # In a table, columns that a row lacks are null.
        given = {name: value for name, value in content.items() if value is not None}
        yield f"{path}, row {number}", given
