"""Generated datasets have verified labels, balanced and disjoint splits, and depend on the seed."""

import json
from collections import Counter
from dataclasses import replace

import pytest

from nip.errors import ParameterError
from nip.scenarios.code_validation.generation.dataset_builder import (
    DatasetBuilderParameters,
    Splits,
    choose_isolation,
    make_dataset,
)
from nip.scenarios.code_validation.generation.rewrites.variants import canonical_form
from nip.scenarios.code_validation.generation.sandbox.isolation import (
    MODES,
    IsolationMode,
    IsolationUnavailableError,
)
from nip.scenarios.code_validation.generation.sandbox.sandbox import SandboxError
from nip.scenarios.code_validation.problems.collection import choose_problems
from tests.scenarios.code_validation.verifying import run_by_itself

PROBLEMS = choose_problems(["run_lengths", "days_left_in_year", "rotation_distance", "check_digit"])
GENERATION = "nip.scenarios.code_validation.generation"
PARAMETERS = DatasetBuilderParameters(num_datapoints=16, test_share=0.25, seed=4)


@pytest.fixture(scope="module", autouse=True)
def few_runs():
    """Run fewer mutants on fewer inputs, which is faster."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{GENERATION}.pair_generator.MUTANTS_PER_VARIANT", 4)
        patch.setattr(f"{GENERATION}.pair_generator.MAX_FAILED_ATTEMPTS", 4)
        patch.setattr(f"{GENERATION}.problem_tests.NUM_GENERATED_INPUTS", 30)
        yield


@pytest.fixture(scope="module")
def splits(few_runs: None) -> Splits:
    return make_dataset(PROBLEMS, PARAMETERS)


def test_half_of_each_split_and_of_each_problem_is_correct(splits: Splits) -> None:
    assert {split: len(datapoints) for split, datapoints in splits.items()} == {
        "train": 12,
        "test": 4,
    }
    for datapoints in splits.values():
        labels = Counter((each.problem, each.y) for each in datapoints)
        for problem, _ in labels:
            assert labels[problem, 0] == labels[problem, 1] > 0


def test_no_problem_is_in_both_splits(splits: Splits) -> None:
    train, test = ({each.problem for each in splits[split]} for split in ("train", "test"))
    assert train | test == {problem.name for problem in PROBLEMS}
    assert not train & test


def test_no_program_occurs_twice_not_even_with_other_names(splits: Splits) -> None:
    forms = [
        (each.problem, canonical_form(each.solution))
        for datapoints in splits.values()
        for each in datapoints
    ]
    assert len(set(forms)) == len(forms)


def test_every_label_holds_when_programs_are_run_elsewhere(splits: Splits) -> None:
    solutions = {problem.name: problem.solutions[0] for problem in PROBLEMS}
    for each in (*splits["train"], *splits["test"]):
        if each.y == 0:
            assert each.kind is not None and each.failing_input is not None
            assert each.expected is not None
            expected = run_by_itself(solutions[each.problem], each.failing_input)
            assert expected == ("value", json.loads(each.expected))
            assert run_by_itself(each.solution, each.failing_input) != expected
            assert 0 < each.tests_failed_share <= 1
        else:
            assert (each.kind, each.failing_input, each.tests_failed_share) == (None, None, 0)


def test_the_same_seed_makes_the_same_dataset_with_any_number_of_workers(splits: Splits) -> None:
    assert make_dataset(PROBLEMS, PARAMETERS, num_workers=3) == splits
    smallest = replace(PARAMETERS, num_datapoints=4, test_share=0.5)
    other = make_dataset(PROBLEMS, replace(smallest, seed=5))
    assert other == make_dataset(PROBLEMS, replace(smallest, seed=5), num_workers=2)
    assert other != make_dataset(PROBLEMS, smallest)


def test_a_larger_dataset_contains_the_smaller(splits: Splits) -> None:
    told: list[int] = []
    larger = make_dataset(PROBLEMS, replace(PARAMETERS, num_datapoints=22), progress=told.append)
    for split in ("train", "test"):
        assert set(splits[split]) < set(larger[split])
    assert sum(told) == 22


def test_the_style_of_programs_says_nothing_about_their_label(splits: Splits) -> None:
    lengths = {y: [len(each.solution) for each in splits["train"] if each.y == y] for y in (0, 1)}
    mean = {y: sum(values) / len(values) for y, values in lengths.items()}
    assert mean[0] == pytest.approx(mean[1], rel=0.1)


def test_a_mistake_while_making_stops_all_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_dataset(PROBLEMS, PARAMETERS, num_workers=2, progress=interrupt)


@pytest.mark.parametrize(
    ("changes", "problems", "message"),
    [
        ({"num_datapoints": 31}, PROBLEMS, "--num-datapoints must be an even number"),
        ({"num_datapoints": 2}, PROBLEMS, "of at least 4"),
        ({"test_share": 1.5}, PROBLEMS, "--test-share must be between 0 and 1"),
        ({}, PROBLEMS[:1], "At least 2 problems are needed"),
    ],
)
def test_impossible_wishes_are_refused(changes: dict, problems: tuple, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        make_dataset(problems, replace(PARAMETERS, **changes))


def test_too_many_wanted_programs_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        f"{GENERATION}.pair_generator.rewrite",
        lambda program, _: program,
    )
    with pytest.raises(ParameterError, match=r"yield only \d+ different ones.*--num-datapoints"):
        make_dataset(PROBLEMS, replace(PARAMETERS, num_datapoints=60))


def test_the_number_of_workers_is_checked() -> None:
    with pytest.raises(ParameterError, match="must be at least 1 and at most 1024, got 0"):
        make_dataset(PROBLEMS, PARAMETERS, num_workers=0)


def test_the_kernel_must_isolate_programs_of_a_language_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(mode: str) -> dict:
        if mode != "minimal":
            raise IsolationUnavailableError(f"no {mode} here")
        return {"own_namespaces": False, "filter": None}

    monkeypatch.setattr(f"{GENERATION}.sandbox.sandbox.worker_settings", missing)
    message = (
        r"a program that escapes .* can read and delete your files.*"
        r"full: no full here; reduced: no reduced here.*--isolation minimal"
    )
    with pytest.raises(ParameterError, match=message):
        choose_isolation(None, has_author=True)
    assert choose_isolation("minimal", has_author=True) == "minimal"
    # Those of this package do not escape.
    assert choose_isolation(None, has_author=False) == "minimal"
    with pytest.raises(SandboxError, match="full: no full here"):
        choose_isolation("full", has_author=False)


@pytest.mark.parametrize("mode", MODES)
def test_the_isolation_does_not_change_the_dataset(splits: Splits, mode: IsolationMode) -> None:
    try:
        isolation = choose_isolation(mode, has_author=False)
    except SandboxError as error:
        pytest.skip(str(error))
    assert make_dataset(PROBLEMS, PARAMETERS, isolation=isolation) == splits
