"""Datasets in folders and files."""

from itertools import chain
from pathlib import Path

from nip.errors import DatasetError
from nip.scenario_base.dataset_files import SPLITS, dataset_folder, is_path, missing_split
from nip.scenario_base.text.datapoint import TextDataset
from nip.scenarios.code_validation.sources.row_files import SUFFIXES, read_rows
from nip.scenarios.code_validation.sources.rows import make_dataset
from nip.scenarios.code_validation.sources.source import DatasetRequest, DatasetSource

SCENARIO = "code_validation"


class FolderSource(DatasetSource):
    """JSONL or Parquet files: a folder by name or path, or a single file with a column ``split``.

    In a folder, the files of a split lie in ``raw/<split>``, or are called ``<split>.jsonl`` or
    ``<split>.parquet``.
    """

    reads_options = False

    def check(self, request: DatasetRequest) -> None:
        """Look for the files of both splits."""
        if _single_file(request) is None:
            folder = _folder(request)
            for split in SPLITS:
                split_files(folder, split)

    def load(self, request: DatasetRequest, split: str) -> TextDataset:
        """Read the files of a split."""
        if (path := _single_file(request)) is not None:
            return _load_from_file(path, split)
        return load_folder(_folder(request), split)


def load_folder(folder: Path, split: str) -> TextDataset:
    """Read a split out of the folder of a dataset.

    Raises
    ------
    DatasetError
        If it is missing, or a row breaks a rule.
    """
    files = split_files(folder, split)
    rows = chain.from_iterable(map(read_rows, files))
    return make_dataset(rows, str(files[0] if len(files) == 1 else files[0].parent))


def split_files(folder: Path, split: str) -> list[Path]:
    """List the files of a split.

    Raises
    ------
    DatasetError
        If there are none.
    """
    within = folder / "raw" / split
    found = sorted(path for path in within.glob("*") if path.suffix in SUFFIXES)
    beside = [folder / f"{split}{suffix}" for suffix in SUFFIXES]
    found = found or [path for path in beside if path.is_file()][:1]
    if not found:
        raise missing_split(folder, split)
    return found


def _folder(request: DatasetRequest) -> Path:
    return dataset_folder(request.data_dir, SCENARIO, request.name)


def _single_file(request: DatasetRequest) -> Path | None:
    """Return the file that the name of a dataset is, if it is one."""
    path = Path(request.name).expanduser()
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
                f"{row.extra.get('split')!r}. Add it to every row; or make a folder of two files, "
                f"train{path.suffix} and test{path.suffix}, and give its path."
            )
        if row.extra["split"] == split:
            chosen.append(row)
    return make_dataset(chosen, f"{path}, split {split}")
