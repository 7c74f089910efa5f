"""Datasets in folders and single files."""

from itertools import chain
from pathlib import Path

from nip.errors import DatasetError
from nip.scenario_base.dataset_files import SPLITS, dataset_folder, is_path, missing_split
from nip.scenario_base.text.datapoint import TextDataset
from nip.scenarios.code_validation.sources.row_files import SUFFIXES, read_rows
from nip.scenarios.code_validation.sources.rows import make_dataset
from nip.scenarios.code_validation.sources.source import (
    DatasetRequest,
    DatasetSource,
    dataset_source_registry,
)
from nip.utils.files import with_home

SCENARIO = "code_validation"


class FolderSource(DatasetSource):
    """A dataset of JSONL or Parquet files: a folder, or a single file with a column ``split``.

    In a folder, the files of a split are in ``raw/<split>``, or are named ``<split>.jsonl`` or
    ``<split>.parquet``.
    """

    reads_options = False

    def check(self, request: DatasetRequest) -> None:
        """Check that both splits have files."""
        if _single_file(request) is None:
            folder = _folder(request)
            for split in SPLITS:
                split_files(folder, split)

    def load(self, request: DatasetRequest, split: str) -> TextDataset:
        """Read a split from its files."""
        if (path := _single_file(request)) is not None:
            return _load_from_file(path, split)
        return load_folder(_folder(request), split)


def load_folder(folder: Path, split: str) -> TextDataset:
    """Read a split, or raise a ``DatasetError`` if it is missing or has an invalid row."""
    files = split_files(folder, split)
    rows = chain.from_iterable(map(read_rows, files))
    return make_dataset(rows, str(files[0] if len(files) == 1 else files[0].parent))


def split_files(folder: Path, split: str) -> list[Path]:
    """List the files of a split, or raise a ``DatasetError`` if there are none."""
    within = folder / "raw" / split
    found = sorted(path for path in within.glob("*") if path.suffix in SUFFIXES)
    beside = [folder / f"{split}{suffix}" for suffix in SUFFIXES]
    found = found or [path for path in beside if path.is_file()][:1]
    if not found:
        raise missing_split(folder, split)
    return found


def _folder(request: DatasetRequest) -> Path:
    builtin = dataset_source_registry.names()
    return dataset_folder(request.data_dir, SCENARIO, request.name, builtin=builtin)


def _single_file(request: DatasetRequest) -> Path | None:
    """Return the path of a dataset that is given as a single file, else None."""
    path = with_home(request.name)
    is_named = is_path(request.name) or path.suffix in SUFFIXES
    if not is_named or not path.is_file():
        return None
    if path.suffix not in SUFFIXES:
        raise DatasetError(
            f"{path} cannot be a dataset: its name must end in {' or '.join(SUFFIXES)}."
        )
    return path


def _load_from_file(path: Path, split: str) -> TextDataset:
    chosen = []
    for number, row in enumerate(read_rows(path), start=1):
        if row.extra.get("split") not in SPLITS:
            raise DatasetError(
                f"{path}, row {number}: the column 'split' must be 'train' or 'test', got "
                f"{row.extra.get('split')!r}. Set it in every row, or give the path of a folder "
                f"with the files train{path.suffix} and test{path.suffix}."
            )
        if row.extra["split"] == split:
            chosen.append(row)
    return make_dataset(chosen, f"{path}, split {split}")
