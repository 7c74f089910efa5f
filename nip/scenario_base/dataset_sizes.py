"""Checks that the splits of a dataset have enough datapoints."""

from nip.errors import DatasetError
from nip.parameters import HyperParameters


def check_num_datapoints(
    hyper_params: HyperParameters, split: str, size: int, *, is_divided: bool = False
) -> None:
    """Raise a ``DatasetError`` if a split has too few datapoints to compute any mean.

    ``is_divided`` says that ``hyper_params.test_size`` of the datapoints are held out for the test
    of agents that learn alone, which leaves at least one datapoint to either part.
    """
    place = f"The {split} split of the dataset {hyper_params.dataset!r}"
    if size < 1:
        raise DatasetError(
            f"{place} must have at least 1 datapoint, got none. Choose or make a dataset with "
            "datapoints in both splits."
        )
    if is_divided and size < 2:
        by_trainer = f"trainer={hyper_params.trainer!r}"
        reader = "pretrain_agents=True" if hyper_params.pretrain_agents else by_trainer
        raise DatasetError(
            f"{place} must have at least 2 datapoints with {reader}, which trains on some of them "
            f"and holds out test_size={hyper_params.test_size} for its test, got 1. Choose a "
            "larger dataset."
        )
