"""Official files of datasets of images: which are needed, and errors about them."""

from dataclasses import dataclass
from pathlib import Path

from nip.errors import DatasetError


@dataclass(frozen=True)
class OfficialFiles:
    """The files of a dataset, unchanged, as its authors offer them."""

    names: tuple[str, ...]
    """Names of the files."""

    page: str
    """Title and address of the page that offers them."""

    advice: str = ""
    """A sentence about which of several offered forms is read."""


IDX_NAMES = {
    split: (f"{prefix}-images-idx3-ubyte.gz", f"{prefix}-labels-idx1-ubyte.gz")
    for split, prefix in (("train", "train"), ("test", "t10k"))
}
"""Files of images and of labels of each split, the same for all datasets in the format of MNIST."""

_IDX_PAGES = {
    "mnist": "The MNIST Database of handwritten digits (yann.lecun.com/exdb/mnist)",
    "fashion_mnist": "Fashion-MNIST (github.com/zalandoresearch/fashion-mnist)",
    "kmnist": "KMNIST Dataset (codh.rois.ac.jp/kmnist)",
}

CIFAR_ARCHIVES = {
    "cifar10": "cifar-10-binary.tar.gz",
    "cifar100": "cifar-100-binary.tar.gz",
}
"""Archive of each dataset."""

_CIFAR_ADVICE = (
    "Take the binary version; the Python version consists of pickles, which are not loaded "
    "because they can execute anything."
)

SVHN_NAMES = {"train": "train_32x32.mat", "test": "test_32x32.mat"}
"""File of each split."""

OFFICIAL_FILES = {
    **{
        name: OfficialFiles((*IDX_NAMES["train"], *IDX_NAMES["test"]), page)
        for name, page in _IDX_PAGES.items()
    },
    **{
        name: OfficialFiles(
            (archive,), "The CIFAR-10 dataset (www.cs.toronto.edu/~kriz/cifar.html)", _CIFAR_ADVICE
        )
        for name, archive in CIFAR_ARCHIVES.items()
    },
    "svhn": OfficialFiles(
        tuple(SVHN_NAMES.values()),
        "The Street View House Numbers (SVHN) Dataset (ufldl.stanford.edu/housenumbers)",
        "Take those of Format 2, Cropped Digits.",
    ),
}
"""Files of each dataset that is read from files."""


def require_official_files(folder: Path, dataset: str) -> None:
    """Raise a ``DatasetError`` if files of a dataset are missing from its folder."""
    files = OFFICIAL_FILES[dataset]
    missing = [name for name in files.names if not (folder / name).is_file()]
    if missing:
        advice = f" {files.advice}" if files.advice else ""
        raise DatasetError(
            f"The dataset {dataset!r} lacks {len(missing)} of its {len(files.names)} official "
            f"files. Put {', '.join(missing)} into the folder {folder}, unchanged. The page that "
            f"offers them: {files.page}.{advice} Datasets that need no files: find_the_plus, and "
            "digits with scikit-learn."
        )


def damaged(path: Path, problem: object) -> DatasetError:
    """Return the error for a file that cannot be read or is inconsistent."""
    reason = (str(problem).strip() or type(problem).__name__).splitlines()[0]
    return DatasetError(
        f"{path} is damaged or not the official file: {reason}. Download it again, and put it "
        "there unchanged."
    )
