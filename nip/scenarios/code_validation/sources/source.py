"""What a source of datasets offers, and the registry of those that have a name."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from nip.parameters.code_validation import CodeValidationParameters
from nip.registry import Registry
from nip.scenario_base.text.datapoint import TextDataset


@dataclass(frozen=True)
class DatasetRequest:
    """Which dataset is wanted, and how."""

    name: str
    """What the hyper-parameter ``dataset`` says."""

    data_dir: Path
    """Folder in which datasets lie."""

    options: CodeValidationParameters
    """What the hyper-parameters say about the data."""

    ignore_cache: bool = False
    """Whether to fetch anew what was fetched before."""


class DatasetSource(ABC):
    """Where datasets come from."""

    reads_options: ClassVar[bool] = True
    """Whether the options of a request make a difference."""

    @abstractmethod
    def check(self, request: DatasetRequest) -> None:
        """Tell, without reading or fetching much, whether a dataset is there.

        Raises
        ------
        DatasetError
            If it is not; the message says how to get it.
        """

    @abstractmethod
    def load(self, request: DatasetRequest, split: str) -> TextDataset:
        """Return a split.

        Raises
        ------
        DatasetError
            If it is missing, cannot be fetched, or breaks a rule.
        """


SourceMaker = Callable[[], DatasetSource]

dataset_source_registry: Registry[SourceMaker] = Registry(
    "source of code validation data", package="nip.scenarios.code_validation.sources"
)
"""Sources whose datasets have fixed names. All other names are those of folders and files."""


def register_dataset_source(dataset: str) -> Callable[[type[DatasetSource]], type[DatasetSource]]:
    """Enter a class of sources under the name of the dataset that it provides."""
    return dataset_source_registry.register(dataset)


def find_source(name: str, files: SourceMaker) -> DatasetSource:
    """Return the source of a dataset: that of its name, or else the one for folders and files."""
    if name in dataset_source_registry:
        return dataset_source_registry.get(name)()
    return files()
