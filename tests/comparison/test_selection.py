"""Which metrics are compared, and at which iterations."""

from math import inf, nan
from pathlib import Path

import pytest

from nip.comparison.runs import RunRecord
from nip.comparison.selection import choose_metrics, curve_metric, is_share, select
from nip.errors import ParameterError, UnknownNameError
from nip.run_store import RunHistory

METRIC = "test_mean_accuracy"


def run(name: str, **series: dict[int, float]) -> RunRecord:
    history = RunHistory.from_dict({key: list(each.items()) for key, each in series.items()})
    return RunRecord(name, Path(name), "completed", {}, history, {})


LONG = run("long", mean_accuracy={1: 0.1, 2: 0.9, 3: 0.5, 4: 0.4}, test_mean_accuracy={2: 1, 4: 3})
SHORT = run("short", mean_accuracy={1: 0.2, 2: 0.1, 3: 0.3}, test_mean_accuracy={1: 5, 2: 6})


def chosen(runs, metric=METRIC, at="common", mode="max"):
    remarks = []
    found = select(runs, metric, at, mode, remarks.append)
    assert found.values == {
        str(each.folder): dict(each.history.values(metric))[found.iterations[str(each.folder)]]
        for each in runs
    }
    return found, remarks


def test_the_last_common_iteration_is_compared_and_said() -> None:
    found, remarks = chosen([LONG, SHORT])
    assert found.iterations == {"long": 2, "short": 2}
    assert found.description == "iteration 2, the last that all runs have"
    assert remarks == [
        f"{METRIC} is compared at iteration 2, although long has later values, because other runs "
        "have none."
    ]


def test_each_run_can_be_compared_at_its_own_last_iteration() -> None:
    found, remarks = chosen([LONG, SHORT], at="last")
    assert found.iterations == {"long": 4, "short": 2}
    assert found.description == "last iteration of each run with a value (2 to 4)"
    assert not remarks


def test_the_best_iteration_is_chosen_on_the_training_split() -> None:
    found, remarks = chosen([LONG, SHORT], at="best")
    # The best test of the long run would be that of iteration 4.
    assert found.iterations == {"long": 2, "short": 1}
    assert "largest mean_accuracy" in found.description
    assert not remarks


def test_a_metric_that_chooses_by_itself_is_said_to_be_too_good() -> None:
    found, remarks = chosen([LONG, SHORT], "mean_accuracy", "best", "min")
    assert found.iterations == {"long": 1, "short": 2}
    assert "too good on average" in remarks[0]


def test_nan_is_never_the_best() -> None:
    found, _ = chosen([run("a", loss={1: nan, 2: 3.0, 3: 2.0})], "loss", "best", "min")
    assert found.iterations == {"a": 3}


def test_a_number_is_an_iteration_that_all_runs_must_have() -> None:
    assert chosen([LONG, SHORT], "mean_accuracy", 3)[0].values == {"long": 0.5, "short": 0.3}
    with pytest.raises(ParameterError, match=r"At iteration 4 .* of short. All .* at: 1, 2, 3"):
        select([LONG, SHORT], "mean_accuracy", 4, "max", print)


def test_runs_without_a_common_iteration_are_refused() -> None:
    runs = [run("a", **{METRIC: {20: 1.0}}), run("b", **{METRIC: {30: 1.0}})]
    with pytest.raises(ParameterError, match=r"a at 20, b at 30\). Choose --at last"):
        select(runs, METRIC, "common", "max", print)


@pytest.mark.parametrize("value", [nan, inf])
def test_a_run_that_diverged_is_not_left_out_silently(value: float) -> None:
    with pytest.raises(ParameterError, match=r"'b' has loss=.* at iteration 1, of which there is"):
        select([run("a", loss={1: 2.0}), run("b", loss={1: value})], "loss", "common", "max", print)


def test_the_main_metric_is_the_accuracy_in_the_test_that_all_runs_have() -> None:
    assert choose_metrics([LONG, SHORT]) == [METRIC]
    assert choose_metrics([LONG, run("new", mean_accuracy={1: 0.1})]) == ["mean_accuracy"]


def test_unknown_metrics_are_refused_with_close_names() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'test_mean_accuracy'"):
        choose_metrics([LONG, SHORT], ["tset_mean_accuracy"])
    with pytest.raises(ParameterError, match="new has no metric 'test_mean_accuracy'"):
        choose_metrics([LONG, run("new", mean_accuracy={1: 0.1})], [METRIC])


def test_runs_without_a_common_metric_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"No metric is common.*a has: loss. b has: reward"):
        choose_metrics([run("a", loss={1: 1.0}), run("b", reward={1: 1.0})])
    with pytest.raises(ParameterError, match="'b' has no metrics yet"):
        choose_metrics([LONG, run("b")])


def test_curves_of_a_single_test_are_those_of_training() -> None:
    tested_once = run("a", mean_accuracy={1: 0.1, 2: 0.2}, test_mean_accuracy={2: 0.3})
    assert curve_metric([tested_once], METRIC) == "mean_accuracy"
    assert curve_metric([tested_once, LONG], METRIC) == METRIC
    assert curve_metric([run("a", test_mean_accuracy={2: 0.3})], METRIC) == METRIC


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("test_mean_accuracy", True),
        ("soundness", True),
        ("prover.retry_share", True),
        ("prover.mean_episode_reward", False),
    ],
)
def test_shares_are_known_by_their_names(metric: str, expected: bool) -> None:
    assert is_share(metric) == expected
