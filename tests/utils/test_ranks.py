"""Collectives between two ranks, and their absence in a single process."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from nip.utils.ranks import ALONE, Ranks, connected_ranks, current_ranks, launched_ranks
from tests.forked_ranks import run_on_ranks


@pytest.fixture(scope="module")
def endings() -> list[list]:
    """Return the results of each of two ranks: of all collectives, and of two failures."""
    child = "tests.utils.ranks_child"
    jobs = [(f"{child}:everything", None), *((f"{child}:lose_the_other", rank) for rank in (0, 1))]
    return [[each.result for each in ranks] for ranks in run_on_ranks(*jobs)]


@pytest.fixture
def told(endings: list[list]) -> list[dict]:
    """Return the results of all collectives."""
    return endings[0]


def same_on_both(told: list[dict], name: str):
    assert told[0][name] == told[1][name]
    return told[0][name]


def test_each_rank_knows_its_number(told):
    assert [each["rank"] for each in told] == [[0, 2, True], [1, 2, False]]
    assert same_on_both(told, "current")


def test_sums_and_means_are_over_all_ranks(told):
    assert same_on_both(told, "sum") == [3.0]
    assert same_on_both(told, "mean") == [1.5]


def test_a_gradient_that_one_rank_lacks_counts_as_zeros_and_one_that_all_lack_stays_none(told):
    assert same_on_both(told, "gradients") == [[[3.0], [6.0]], [[0.5], [0.0]], None, None]


def test_running_statistics_are_averaged_and_counters_stay_whole_numbers(told):
    assert same_on_both(told, "buffers") == {
        "running_mean": [0.5, 0.5],
        "running_var": [1.0, 1.0],
        "num_batches_tracked": 5,
    }


def test_weights_are_those_of_the_first_rank(told):
    assert same_on_both(told, "weights") == [1.0, 2.0]


def test_tensors_of_any_shape_are_gathered_in_the_order_of_ranks(told):
    first, second = same_on_both(told, "gathered")
    assert first == {"long": [[1], [1]], "bool": [[], True], "only_0": [[0, 2], []]}
    assert second == {"long": [[2], [1, 4]], "bool": [[], False], "only_1": [[0, 2], []]}


def test_the_first_rank_decides(told):
    assert same_on_both(told, "first") == [0.1, float("inf")]
    assert same_on_both(told, "text") == "größer als 0"
    assert same_on_both(told, "shared") == {
        "long": ["torch.int64", [1]],
        "bool": ["torch.bool", True],
        "only_0": ["torch.float64", []],
    }


def test_a_flag_of_any_rank_counts(told):
    assert same_on_both(told, "any") == [True, False]


def test_all_ranks_learn_that_the_first_has_failed(told):
    assert [each["only_first"] for each in told] == [[7, "OSError"], [None, "RankError"]]


def test_a_rank_whose_partner_fails_does_not_wait_for_it(endings):
    assert endings[1] == ["ZeroDivisionError", "RankError"]
    assert endings[2] == ["RankError", "ZeroDivisionError"]


def test_torchrun_tells_the_ranks_by_the_environment(monkeypatch):
    told = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4"}
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    assert launched_ranks() == Ranks(rank=5, size=8, local_rank=1, local_size=4)
    assert current_ranks() == ALONE


def test_without_torchrun_a_process_is_alone(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setenv("WORLD_SIZE", "8")
    assert launched_ranks() == ALONE
    with connected_ranks("cpu") as ranks:
        assert ranks == ALONE


def test_alone_everything_stays_as_it_is():
    parameter, missing = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    parameter.grad = torch.ones(1)
    ALONE.average_gradients([parameter, missing])
    assert parameter.grad.item() == 1.0 and missing.grad is None
    tensor = torch.ones(2)
    assert ALONE.mean_(tensor) is tensor and ALONE.sum_(tensor) is tensor
    (gathered,) = ALONE.gather({"tensor": tensor})
    assert gathered["tensor"] is tensor and ALONE.share(gathered)["tensor"] is tensor
    assert ALONE.first([1.5]) == [1.5]
    assert ALONE.any([True, False]) == [True, False]
    assert ALONE.share_text("text") == "text"
    assert ALONE.only_first(lambda: 3) == 3
    with pytest.raises(OSError, match="disk"):
        ALONE.only_first(_fail)


def _fail() -> None:
    raise OSError("the disk is full")


def test_a_process_which_is_alone_imports_no_torch():
    code = (
        "import sys\n"
        "from nip.utils.ranks import connected_ranks\n"
        "with connected_ranks('cpu') as ranks:\n"
        "    ranks.any([True]), ranks.first([1.0]), ranks.barrier()\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
