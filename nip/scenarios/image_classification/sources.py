"""The datasets of images by name: where their images come from, and how many classes they have.

Readers are imported when images are read, because parameters are checked without NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from nip.registry import Registry

if TYPE_CHECKING:
    from nip.experiment_settings import ExperimentSettings
    from nip.scenarios.image_classification.readers.image_arrays import ImageArrays

ImageReader = Callable[[Path, str], "ImageArrays"]
"""Returns the images of a split, ``train`` or ``test``, given the folder of the dataset."""


@dataclass(frozen=True)
class ImageSource:
    """A dataset of images: how it is read, and how its classes become labels by default."""

    read: ImageReader
    """Reads or generates the images of a split."""

    num_classes: int
    """Number of classes."""

    selected_classes: tuple[int, int] = (0, 1)
    """Classes that ``select_two`` keeps by default."""

    binarification_seed: int = 0
    """Default seed of the labels."""


image_datasets: Registry[ImageSource] = Registry("image dataset")
"""All datasets of images by name."""


def register_image_dataset(name: str, *, num_classes: int) -> Callable[[ImageReader], ImageReader]:
    """Register a dataset of images, as a decorator of the function that reads it.

    Parameters
    ----------
    name : str
        Value of ``dataset`` that chooses it.
    num_classes : int
        Number of classes, at least 2.
    """

    def decorate(read: ImageReader) -> ImageReader:
        image_datasets.register(name, ImageSource(read, num_classes))
        return read

    return decorate


def image_folder(settings: ExperimentSettings, dataset: str) -> Path:
    """Return the folder of the files of a dataset."""
    return Path(settings.data_dir) / "image_classification" / dataset


def _reader(function: str) -> ImageReader:
    """Return a reader, named ``module.function``, that imports its module when it is called."""
    module, _, name = function.partition(".")

    def read(folder: Path, split: str) -> ImageArrays:
        found = import_module(f"nip.scenarios.image_classification.readers.{module}")
        images: ImageArrays = getattr(found, name)(folder, split)
        return images

    return read


for _name, _source in {
    "mnist": ImageSource(_reader("idx.read_idx_split"), 10),
    "fashion_mnist": ImageSource(_reader("idx.read_idx_split"), 10),
    "kmnist": ImageSource(_reader("idx.read_idx_split"), 10),
    "cifar10": ImageSource(_reader("cifar.read_cifar10_split"), 10, selected_classes=(3, 5)),
    "cifar100": ImageSource(_reader("cifar.read_cifar100_split"), 100),
    "svhn": ImageSource(_reader("svhn.read_svhn_split"), 10, binarification_seed=2),
    "digits": ImageSource(_reader("digits.read_digits_split"), 10),
    "find_the_plus": ImageSource(_reader("find_the_plus.read_plus_split"), 2),
    "test": ImageSource(_reader("random_images.read_random_split"), 2),
}.items():
    image_datasets.register(_name, _source)
