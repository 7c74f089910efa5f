"""Writing the folder of a dataset so that it is there completely or not at all."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from nip.errors import DatasetError
from nip.utils.files import write_atomically


def write_dataset_folder(
    folder: Path, files: Mapping[str, bytes | str], overwrite: bool = False
) -> None:
    """Write all files of a dataset, and let its folder appear when they are complete.

    Parameters
    ----------
    folder : Path
        Folder of the dataset; those above it are made if need be.
    files : mapping
        Contents by paths within the folder, like ``raw/train/data.jsonl``.
    overwrite : bool
        Whether to replace an existing dataset.

    Raises
    ------
    DatasetError
        If the folder exists and is not to be replaced.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        new = temporary / "new"
        for name, content in files.items():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(new / name, content)
        refuse_existing(folder, overwrite)
        _exchange(folder, new, temporary / "old")
    finally:
        shutil.rmtree(temporary)


def _exchange(folder: Path, new: Path, old: Path) -> None:
    """Put a new folder in the place of another, or leave that one where it is."""
    if not folder.exists():
        new.rename(folder)
        return
    folder.rename(old)
    try:
        new.rename(folder)
    except BaseException:
        old.rename(folder)
        raise


def refuse_existing(folder: Path, overwrite: bool) -> None:
    """Raise a DatasetError if a dataset is there already and is not to be replaced."""
    if folder.exists() and not overwrite:
        raise DatasetError(
            f"The dataset {folder} exists already. Choose another name, or give --overwrite to "
            f"replace it."
        )
