"""Making datasets: labels that hold, balance, separate splits, and the same files every time."""

import json
from collections import Counter
from dataclasses import asdict, replace

import pytest

from nip.errors import ParameterError
from nip.scenarios.code_validation.generation.datapoints import GeneratedDatapoint
from nip.scenarios.code_validation.generation.dataset_builder import (
    DatasetBuilderParameters,
    Splits,
    make_dataset,
)
from nip.scenarios.code_validation.generation.dataset_writer import statistics
from nip.scenarios.code_validation.generation.problem_tests import ProblemTests, make_tests
from nip.scenarios.code_validation.generation.rewrites.variants import canonical_form
from nip.scenarios.code_validation.generation.sandbox import Sandbox
from nip.scenarios.code_validation.generation.splitting import deal, split_problems
from nip.scenarios.code_validation.generation.verification import verify
from nip.scenarios.code_validation.problems.collection import all_problems, choose_problems
from tests.scenarios.code_validation.verifying import run_by_itself

PROBLEMS = choose_problems(["run_lengths", "days_left_in_year", "rotation_distance", "check_digit"])
PARAMETERS = DatasetBuilderParameters(num_datapoints=16, test_share=0.25, seed=4)


@pytest.fixture(scope="module", autouse=True)
def few_mutants():
    """Choose among fewer mutants, which is faster."""
    with pytest.MonkeyPatch.context() as patch:
        module = "nip.scenarios.code_validation.generation.pair_generator"
        patch.setattr(f"{module}.MUTANTS_PER_VARIANT", 4)
        patch.setattr(f"{module}.FRUITLESS_ATTEMPTS", 8)
        yield


@pytest.fixture(scope="module")
def splits(few_mutants: None) -> Splits:
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
    assert make_dataset(PROBLEMS, replace(PARAMETERS, seed=5)) != splits


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
        ({"test_share": 0.0}, PROBLEMS, "--test-share must be between 0 and 1"),
        ({"test_share": 1.5}, PROBLEMS, "--test-share must be between 0 and 1"),
        ({}, PROBLEMS[:1], "At least 2 problems are needed"),
    ],
)
def test_impossible_wishes_are_refused(changes: dict, problems: tuple, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        make_dataset(problems, replace(PARAMETERS, **changes))


def test_too_many_wanted_programs_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "nip.scenarios.code_validation.generation.pair_generator.rewrite",
        lambda program, _: program,
    )
    with pytest.raises(ParameterError, match=r"no more than \d+ different ones.*--num-datapoints"):
        make_dataset(PROBLEMS, replace(PARAMETERS, num_datapoints=60))


def test_the_number_of_workers_is_checked() -> None:
    with pytest.raises(ParameterError, match="--workers must be at least 1, got 0"):
        make_dataset(PROBLEMS, PARAMETERS, num_workers=0)


@pytest.mark.parametrize(
    ("total", "capacities", "counts"),
    [
        (7, [None, None, None], [3, 2, 2]),
        (7, [1, None, None], [1, 3, 3]),
        (7, [1, 0, 6], [1, 0, 6]),
        (7, [1, 0, 5], None),
        (0, [None], [0]),
    ],
)
def test_dealing_is_as_even_as_can_be(
    total: int, capacities: list[int | None], counts: list[int] | None
) -> None:
    assert deal(total, capacities) == counts


@pytest.mark.parametrize("seed", range(5))
def test_topics_are_spread_over_the_splits(seed: int) -> None:
    split = split_problems(all_problems(), 0.2, seed)
    assert len(split["test"]) == round(0.2 * len(all_problems()))
    in_test = Counter(problem.topic for problem in split["test"])
    for topic, count in Counter(problem.topic for problem in all_problems()).items():
        assert abs(in_test[topic] - 0.2 * count) < 1


def test_verification_tells_what_goes_wrong() -> None:
    tests = ProblemTests(inputs=((1, 1), (3,), (20,), (4,)), expected=(1, 9, 400, 16), max_steps=90)
    programs = {
        "def solve(x): return x * x": ("exception", "[1, 1]", 0.25),
        "def solve(*x): return x[0] ** (len(x) + 1 if x[0] < 20 else 3)": (
            "wrong_answer",
            "[20]",
            0.25,
        ),
        "def solve(*x): return {1: 1, 3: 8, 20: 400, 4: 15}[x[0]]": ("wrong_answer", "[3]", 0.5),
        "def solve(*x):\n    while x[0] == 4: pass\n    return x[0] ** (3 - len(x))": (
            "timeout",
            "[4]",
            0.25,
        ),
    }
    with Sandbox() as sandbox:
        sandbox.set_inputs(tests.inputs)
        assert verify("def solve(*x): return x[0] * x[0]", tests, sandbox).is_correct
        # As elsewhere in Python, 1 and 1.0 and True are equal.
        assert verify("def solve(*x): return x[0] * 1.0 * x[0]", tests, sandbox).is_correct
        for program, (kind, failing_input, share) in programs.items():
            failure = verify(program, tests, sandbox).failure
            assert failure is not None
            found = (failure.kind, failure.failing_input, failure.tests_failed_share)
            assert found == (kind, failing_input, share), program
        assert verify("def solve(*x): return [0] * 10**10", tests, sandbox).unusable is not None


def test_the_statistics_count_what_is_there(splits: Splits) -> None:
    found = statistics(splits["train"])
    assert (found["num_datapoints"], found["num_correct"], found["num_problems"]) == (12, 6, 3)
    assert sum(found["kinds_of_bugs"].values()) == sum(found["mutations"].values()) == 6
    shares = found["tests_failed_share"]
    buggy = [each.tests_failed_share for each in splits["train"] if each.y == 0]
    assert shares["mean"] == pytest.approx(sum(buggy) / 6, abs=1e-4)
    assert shares["up_to_0.2"] == sum(0.05 < share <= 0.2 for share in buggy)


def test_the_rows_have_the_columns_of_the_guide(splits: Splits) -> None:
    row: GeneratedDatapoint = splits["train"][0]
    assert list(asdict(row))[:3] == ["question", "solution", "y"]


@pytest.mark.parametrize("problem", all_problems(), ids=lambda problem: problem.name)
def test_solutions_agree_in_the_sandbox_whatever_the_order_of_sets(
    problem, sandboxes: tuple[Sandbox, Sandbox]
) -> None:
    one, other = (make_tests(problem, sandbox, seed=1) for sandbox in sandboxes)
    assert one.expected == other.expected
    assert len(one.inputs) >= 40
    assert one.max_steps < 200_000


@pytest.fixture(scope="module")
def sandboxes():
    with Sandbox(hash_seed=0) as one, Sandbox(hash_seed=1) as other:
        yield one, other
