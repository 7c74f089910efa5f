"""Whole comparisons of stored runs."""

import json
from dataclasses import asdict, astuple

import numpy as np
import pytest
from scipy import stats

from nip.comparison import ComparisonOptions, compare_runs
from nip.comparison.differences import holm
from nip.errors import NipError, NipWarning, ParameterError, UnknownNameError
from tests.comparison.stored_runs import METRIC, write_groups, write_run

GROUPS = {
    "ppo": (0.61, 0.74, 0.58, 0.9, 0.66),
    "spg": (0.41, 0.52, 0.47),
    "random": (0.5, 0.51, 0.49, 0.5),
}


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory: pytest.TempPathFactory):
    folder = write_groups(tmp_path_factory.mktemp("runs"), GROUPS)
    write_run(folder, "alone", {"trainer": "alone", "seed": 1}, {2: {METRIC: 0.5}})
    return folder


def test_it_states_what_scipy_computes_of_the_same_numbers(runs_dir) -> None:
    found = compare_runs(["ppo-*", "spg-*", "random-*"], runs_dir)
    assert {group.name: group.seeds for group in found.groups} == {
        name: tuple(range(1, len(values) + 1)) for name, values in GROUPS.items()
    }
    (metric,) = found.metrics
    assert (metric.metric, metric.at) == (METRIC, "iteration 2, the last that all runs have")
    for result in metric.groups:
        values = GROUPS[result.group]
        ends = stats.ttest_1samp(values, 0).confidence_interval(0.95)
        assert result.values == values
        assert astuple(result.estimate) == pytest.approx((np.mean(values), *ends), abs=1e-9)
        assert result.standard_deviation == pytest.approx(np.std(values, ddof=1))
    expected = [
        stats.ttest_ind(GROUPS[pair.first], GROUPS[pair.second], equal_var=False).pvalue
        for pair in metric.pairs
    ]
    assert len(expected) == 3
    assert [pair.difference.p_value for pair in metric.pairs] == pytest.approx(expected, abs=1e-9)
    assert [pair.adjusted_p_value for pair in metric.pairs] == pytest.approx(holm(expected))
    assert found.parameters == {"trainer": ("ppo", "spg", "random")}


def test_p_values_are_corrected_over_all_metrics(runs_dir) -> None:
    options = ComparisonOptions(metrics=(METRIC, "mean_accuracy"))
    found = compare_runs(["ppo-*", "spg-*"], runs_dir, options)
    assert found.num_tests == 2
    first, second = (metric.pairs[0] for metric in found.metrics)
    assert first.adjusted_p_value == pytest.approx(2 * first.difference.p_value)
    assert second.adjusted_p_value >= first.adjusted_p_value


def test_curves_are_those_of_training_after_a_single_test(runs_dir) -> None:
    (metric,) = compare_runs("ppo-*", runs_dir).metrics
    assert metric.curve_metric == "mean_accuracy"
    assert metric.groups[0].curve.iterations == (1, 2)
    assert metric.groups[0].profile.shares[0].value == 1
    assert metric.pairs == ()


def test_all_groups_can_be_compared_with_one_only(runs_dir) -> None:
    for baseline in ("spg", "spg-seed-2"):
        found = compare_runs("*-seed-*", runs_dir, ComparisonOptions(baseline=baseline))
        pairs = [(pair.first, pair.second) for pair in found.metrics[0].pairs]
        assert pairs == [("ppo", "spg"), ("random", "spg")]


def test_smaller_can_be_better(runs_dir) -> None:
    (larger,) = compare_runs(["ppo-*", "spg-*"], runs_dir).metrics[0].pairs
    options = ComparisonOptions(mode="min")
    (smaller,) = compare_runs(["ppo-*", "spg-*"], runs_dir, options).metrics[0].pairs
    assert larger.probability.value == 1
    assert smaller.probability.value == 0
    assert smaller.difference == larger.difference


def test_a_result_is_plain_data(runs_dir) -> None:
    found = asdict(compare_runs(["ppo-*", "spg-*"], runs_dir))
    assert json.loads(json.dumps(found))["metrics"][0]["pairs"][0]["first"] == "ppo"


def test_groups_can_be_given_by_hand(runs_dir) -> None:
    groups = {"learnt": ["ppo-*", "spg-seed-1"], "random": "random-*"}
    found = compare_runs(groups, runs_dir)
    assert [group.name for group in found.groups] == ["learnt", "random"]
    assert "The runs of 'learnt' differ in more than their seeds: trainer." in found.notes
    with pytest.raises(ParameterError, match="'ppo-seed-1' is in the groups 'a' and 'b'"):
        compare_runs({"a": "ppo-*", "b": "*-seed-1"}, runs_dir)


def test_strata_are_compared_one_by_one(tmp_path) -> None:
    for data, shift in (("easy", 0.4), ("hard", 0.0)):
        for name in ("ppo", "spg"):
            for seed in (1, 2, 3):
                value = {"ppo": (0.3, 0.4, 0.5), "spg": (0.1, 0.2, 0.35)}[name][seed - 1] + shift
                parameters = {"trainer": name, "seed": seed, "dataset": data}
                write_run(tmp_path, f"{name}-{data}-{seed}", parameters, {1: {METRIC: value}})
    found = compare_runs("*", tmp_path, ComparisonOptions(across=("dataset",)))
    (pair,) = found.metrics[0].pairs
    assert pair.difference.interval.value == pytest.approx(0.4 - 0.65 / 3)
    # 8 of the 9 pairs of each stratum: 0.3 < 0.35. Without strata it would be less.
    assert pair.probability.value == pytest.approx(8 / 9)


def test_unfinished_runs_are_named(tmp_path) -> None:
    write_groups(tmp_path, {"ppo": (0.5, 0.6)})
    parameters = {"trainer": "ppo", "rl": {"lr": 0.1}}
    write_run(tmp_path, "late", {**parameters, "seed": 8}, {2: {METRIC: 0.5}}, status="running")
    write_run(tmp_path, "bad", {**parameters, "seed": 9}, {2: {METRIC: 0.5}}, status="failed")
    notes = compare_runs("*", tmp_path).notes
    assert "Run 'late' is not finished, at iteration 2." in notes
    assert "Run 'bad' failed, at iteration 2." in notes


def test_runs_that_agree_are_no_proof(tmp_path) -> None:
    write_groups(tmp_path, {"ppo": (1.0, 1.0), "spg": (0.5, 0.5)})
    found = compare_runs("*", tmp_path)
    assert found.metrics[0].pairs[0].adjusted_p_value is None
    assert any("no evidence that other seeds would agree" in note for note in found.notes)
    assert any("has no test" in note for note in found.notes)


def test_a_damaged_run_is_an_error_if_named_and_left_out_if_matched(tmp_path) -> None:
    write_groups(tmp_path, {"ppo": (0.5, 0.6, 0.7)})
    (tmp_path / "ppo-seed-3" / "run.db").write_bytes(b"SQLite format 3\0" + bytes(100))
    with pytest.raises(NipError, match=r"run.db"):
        compare_runs(["ppo-seed-1", "ppo-seed-2", "ppo-seed-3"], tmp_path)
    found = compare_runs("ppo-*", tmp_path)
    assert found.groups[0].run_ids == ("ppo-seed-1", "ppo-seed-2")
    assert "Run 'ppo-seed-3' is left out, because it cannot be read" in found.notes[0]


def test_different_tasks_are_pointed_out(tmp_path) -> None:
    for data in ("a", "b"):
        for seed in (1, 2):
            parameters = {"dataset": data, "seed": seed}
            write_run(tmp_path, f"{data}{seed}", parameters, {1: {METRIC: seed / 3}})
    notes = compare_runs("*", tmp_path).notes
    assert "different values of dataset" in notes[0]


def write_dialogues(folder, noisy) -> None:
    """Write two groups of three runs, of which one is better by 0.1 on the mean of 40 questions."""
    rng = np.random.default_rng(0)
    for name in ("first", "second"):
        for seed in (1, 2, 3):
            dialogues = {}
            for question in range(40):
                # Ten dialogues; of the consistent pair, each question gains one right verdict.
                share = 2 + question % 6
                if name == "first":
                    share += 1 if not noisy else int(rng.choice([-2, 3], p=[0.4, 0.6]))
                dialogues[f"q{question}"] = [number < share for number in range(10)]
            accuracy = float(np.mean([np.mean(each) for each in dialogues.values()]))
            write_run(
                folder,
                f"{name}-{seed}",
                {"protocol": name, "seed": seed},
                {1: {METRIC: accuracy}},
                digests={"test dataset": "d"},
                dialogues={1: dialogues},
            )


@pytest.mark.parametrize("unit", ["questions", "both"])
def test_only_a_difference_that_is_the_same_on_all_questions_is_significant(tmp_path, unit) -> None:
    found = {}
    for kind in (False, True):
        write_dialogues(tmp_path / str(kind), noisy=kind)
        result = compare_runs("*", tmp_path / str(kind), ComparisonOptions(unit=unit))
        assert result.metrics[0].num_questions == 40
        found[kind] = result.metrics[0].pairs[0]
    assert found[False].difference.interval.value == pytest.approx(0.1)
    assert found[False].difference.p_value is None or found[False].adjusted_p_value < 0.001


MISTAKES = [
    ("alone", {}, "'alone' has a single run of its kind"),
    (["ppo-*", "alone"], {}, "has a single run of its kind (alone)"),
    ("pop-seed-1", {}, "Did you mean 'ppo-seed-1'"),
    ("nobody-*", {}, "matches 'nobody-*'"),
    (["ppo-seed-1", "ppo-seed-1"], {}, "needs at least 2"),
    ("ppo-*", {"metrics": ("test_mean_acuracy",)}, "Did you mean 'test_mean_accuracy'"),
    ("ppo-*", {"at": 7}, "At iteration 7"),
    ("ppo-*", {"at": "first"}, "at must be one of common, last, best"),
    ("ppo-*", {"statistic": "median"}, "statistic must be one of mean, iqm"),
    ("ppo-*", {"confidence": 1.0}, "between 0 and 1"),
    ("ppo-*", {"unit": "both"}, "no test dialogues of iteration 2"),
    ("ppo-*", {"unit": "both", "statistic": "iqm"}, "has no meaning with --unit both"),
    ("ppo-*", {"unit": "both", "metrics": ("mean_accuracy",)}, "only test_mean_accuracy"),
    (["ppo-*", "spg-*"], {"baseline": "sgp"}, "Did you mean 'spg'"),
    ({"a": "ppo-*"}, {"ignore": ("trainer",)}, "given by hand"),
]


@pytest.mark.parametrize(("runs", "options", "message"), MISTAKES)
def test_mistakes_are_refused(runs_dir, runs, options, message: str) -> None:
    with pytest.raises((ParameterError, UnknownNameError)) as error:
        compare_runs(runs, runs_dir, ComparisonOptions(**options))
    assert message in str(error.value)


def test_notes_of_missing_data_are_no_warnings(runs_dir, recwarn) -> None:
    compare_runs(["ppo-*", "spg-*"], runs_dir, ComparisonOptions(statistic="iqm"))
    assert not [each for each in recwarn if issubclass(each.category, NipWarning)]
