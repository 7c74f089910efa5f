"""Folders of datasets on disk: finding, checking and writing them."""

import shlex
import shutil
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

from nip.command_table import typed
from nip.errors import DatasetError, did_you_mean
from nip.utils.files import make_folder, with_home, write_atomically

DEFAULT_DATA_DIR = "data"
"""Default data folder of the commands that make datasets."""

MAKING_COMMANDS = {
    "code_validation": "dataset code-validation",
    "graph_isomorphism": "dataset graph-isomorphism",
}
"""Name of the command that makes a dataset of a scenario."""

MAKING_OPTIONS = {
    ("graph_isomorphism", "demo"): "--score-fractions 0.08 0.2",
    ("graph_isomorphism", "eru10000"): "--score-fractions 0.08 0.2",
}
"""Further options of that command for the datasets of the built-in experiments."""

SPLITS = ("train", "test")
"""Splits of a dataset, with their files in ``raw/<split>``."""


def dataset_folder(
    data_dir: Path | str,
    scenario: str,
    dataset: str,
    making_command: str | None = None,
    builtin: Collection[str] = (),
) -> Path:
    """Find the folder of a dataset.

    Parameters
    ----------
    data_dir : Path or str
        Folder of all datasets, ``<data_dir>/<scenario>/<dataset>``.
    scenario : str
        Name of the scenario.
    dataset : str
        Name of the dataset, or the path of its folder, which must contain a slash, like ``./mine``.
    making_command : str, optional
        Command that the error message suggests, followed by the dataset's name and, if needed,
        ``--data-dir``. Default: that of the built-in scenario, if it has one.
    builtin : collection of str
        Names of further datasets of the scenario, which are no folders.

    Raises
    ------
    DatasetError
        If the folder does not exist. The message lists the existing datasets and the command that
        makes a new one.
    """
    home = Path(data_dir) / scenario
    if is_path(dataset):
        folder = with_home(dataset)
        if folder.is_dir():
            return folder
        parts = [
            f"The folder {dataset!r} of a {scenario!r} dataset does not exist.",
            did_you_mean(dataset, builtin),
            f"Give the path of an existing folder, or the name of a dataset in {home}.",
        ]
        raise DatasetError(" ".join(filter(None, parts)))
    known = dataset_names(home)
    if dataset in known:
        return home / dataset
    parts = [
        f"There is no dataset {dataset!r} of {scenario!r} in {home}.",
        did_you_mean(dataset, [*known, *builtin]),
        f"Existing datasets: {', '.join(known)}." if known else "It has no datasets yet.",
        f"Built in: {', '.join(builtin)}." if builtin else "",
    ]
    if making_command is None and scenario in MAKING_COMMANDS:
        making_command = typed(MAKING_COMMANDS[scenario])
    if making_command:
        is_default = Path(data_dir) == Path(DEFAULT_DATA_DIR)
        option = "" if is_default else f" --data-dir {shlex.quote(str(data_dir))}"
        name = shlex.quote(dataset) if dataset else "NAME"
        needed = MAKING_OPTIONS.get((scenario, dataset))
        option = f" {needed}{option}" if needed else option
        parts.append(f"Make it with: {making_command} {name}{option}")
    raise DatasetError(" ".join(filter(None, parts)))


def check_splits(folder: Path) -> None:
    """Check that a dataset has both splits, without reading them, unless it has no folder ``raw``.

    Raises
    ------
    DatasetError
        If the folder of a split is missing or empty.
    """
    if not (folder / "raw").is_dir():
        return
    for split in SPLITS:
        place = folder / "raw" / split
        if not place.is_dir() or not any(place.iterdir()):
            raise missing_split(folder, split)


def missing_split(folder: Path, split: str) -> DatasetError:
    """Return the error for a dataset that lacks a split."""
    return DatasetError(
        f"The dataset {folder} has no {split} split: {folder / 'raw' / split} contains no data "
        "file. Add one (to reuse another split, copy its file), or choose or make a dataset with "
        "both splits."
    )


def is_path(dataset: str) -> bool:
    """Return whether a dataset is given as the path of a folder instead of by name."""
    return any(separator in dataset for separator in "/\\")


def dataset_names(home: Path) -> list[str]:
    """List the datasets in a scenario's folder, without hidden folders, which are incomplete."""
    if not home.is_dir():
        return []
    return sorted(
        entry.name for entry in home.iterdir() if entry.is_dir() and not entry.name.startswith(".")
    )


def write_dataset_folder(
    folder: Path, files: Mapping[str, bytes | str], overwrite: bool = False
) -> None:
    """Write a dataset so that its folder appears only when all files are complete.

    Missing parents are created. ``files`` maps paths within the folder to contents.

    Raises
    ------
    DatasetError
        If the folder exists and ``overwrite`` is false.
    """
    make_folder(folder.parent)
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
    """Replace a folder by a new one; if that fails, restore it."""
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
    """Raise a DatasetError if a dataset exists and ``overwrite`` is false."""
    if folder.exists() and not overwrite:
        raise DatasetError(
            f"The dataset {folder} exists already. Choose another name, or give --overwrite to "
            "replace it."
        )
