"""The data of code validation, wherever it comes from."""

from collections.abc import Iterator
from pathlib import Path

from nip.errors import warn_user
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.parameters.code_validation import CodeValidationParameters
from nip.scenario_base.text.datapoint import TextDataset
from nip.scenarios.code_validation.sources.folders import FolderSource
from nip.scenarios.code_validation.sources.source import (
    DatasetRequest,
    DatasetSource,
    find_source,
)

APPS_OPTIONS = ("apps_difficulty", "apps_solution_number", "apps_exclude_flagged")
"""The options that choose among the rows of a dataset."""


def load_code_validation_dataset(
    hyper_params: HyperParameters, settings: ExperimentSettings, split: str
) -> TextDataset:
    """Load one split of the dataset that the hyper-parameters name.

    Parameters
    ----------
    hyper_params : HyperParameters
        ``dataset`` names a folder in the data folder, the path of a folder or file, a dataset of
        the Hugging Face hub, or ``test``, the tiny one that comes with the package.
    settings : ExperimentSettings
        Where datasets lie.
    split : {"train", "test"}
        Which datapoints to return.

    Raises
    ------
    DatasetError
        If the dataset or the split is missing, cannot be fetched or read, or a row breaks a rule.
    """
    source, request = _source_and_request(hyper_params, settings)
    return source.load(request, split)


def check_code_validation_dataset(
    hyper_params: HyperParameters, settings: ExperimentSettings
) -> None:
    """Tell whether the dataset can be loaded, as far as that is known without reading it.

    Warns of options that make no difference to this dataset.

    Raises
    ------
    DatasetError
        If it cannot; the message has the command that makes a dataset, or says what is missing.
    """
    source, request = _source_and_request(hyper_params, settings)
    source.check(request)
    for message in () if source.reads_options else _idle_options(request):
        warn_user(message)


def _idle_options(request: DatasetRequest) -> Iterator[str]:
    """Yield a message for each option that differs from its default although nobody reads it."""
    default = CodeValidationParameters()
    for name in APPS_OPTIONS:
        value = getattr(request.options, name)
        if value != getattr(default, name):
            yield (
                f"code_validation.{name}={value!r} has no effect with dataset={request.name!r}, "
                "whose rows are all taken."
            )


def _source_and_request(
    hyper_params: HyperParameters, settings: ExperimentSettings
) -> tuple[DatasetSource, DatasetRequest]:
    request = DatasetRequest(
        name=hyper_params.dataset,
        data_dir=Path(settings.data_dir),
        options=hyper_params.code_validation,
        ignore_cache=settings.ignore_cache,
    )
    return find_source(hyper_params.dataset, FolderSource), request
