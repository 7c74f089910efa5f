"""Loading and checking of datasets, and the labels of the built-in dataset."""

import json
from collections import Counter
from pathlib import Path

import pytest

from nip.errors import DatasetError, NipWarning
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.scenarios.code_validation.dataset import (
    check_code_validation_dataset,
    load_code_validation_dataset,
)
from nip.scenarios.code_validation.problems.collection import all_problems
from nip.scenarios.code_validation.sources.source import dataset_source_registry
from tests.scenarios.code_validation.verifying import run_by_itself


def hyper_params(dataset: str) -> HyperParameters:
    return HyperParameters(scenario="code_validation", trainer="pure_text_ei", dataset=dataset)


def load(dataset: str, split: str, data_dir: Path | str = "data"):
    settings = ExperimentSettings(data_dir=str(data_dir))
    return load_code_validation_dataset(hyper_params(dataset), settings, split)


def test_the_sources_with_names() -> None:
    assert dataset_source_registry.names() == ["codeparrot/apps", "lrhammond/buggy-apps", "test"]


def test_the_builtin_dataset_is_small_balanced_and_split_by_problem() -> None:
    train, test = load("test", "train"), load("test", "test")
    assert (len(train), len(test)) == (24, 12)
    for split in (train, test):
        assert sum(each.y for each in split) == len(split) / 2
        labels = Counter((each.extra["problem"], each.y) for each in split)
        assert all(labels[name, 1 - y] == count for (name, y), count in labels.items())
    problems = [{each.extra["problem"] for each in split} for split in (train, test)]
    assert not problems[0] & problems[1]
    ids = [each.id for split in (train, test) for each in split]
    assert len(set(ids)) == 36
    assert {each.prover_stance for each in train} == {0, 1}


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_labels_of_the_builtin_dataset_hold(split: str) -> None:
    problems = {problem.name: problem for problem in all_problems()}
    for each in load("test", split):
        problem = problems[each.extra["problem"]]
        assert each.question == problem.question
        if each.y == 0:
            arguments, expected = each.extra["failing_input"], json.loads(each.extra["expected"])
            assert run_by_itself(each.solution, arguments) != ("value", expected)
            for solution in problem.solutions:
                assert run_by_itself(solution, arguments) == ("value", expected)
        else:
            for edge_case in problem.edge_cases:
                arguments = json.dumps(edge_case)
                expected = run_by_itself(problem.solutions[0], arguments)
                assert run_by_itself(each.solution, arguments) == expected


def test_a_missing_dataset_is_told_with_a_command_before_anything_runs(tmp_path: Path) -> None:
    settings = ExperimentSettings(data_dir=str(tmp_path))
    check_code_validation_dataset(hyper_params("test"), settings)
    with pytest.raises(DatasetError, match=r"Make it with: python scripts/create_cv_dataset\.py x"):
        check_code_validation_dataset(hyper_params("x"), settings)


def test_options_that_choose_among_rows_warn_where_all_are_taken() -> None:
    params = hyper_params("test").with_changes({"code_validation.apps_difficulty": "competition"})
    message = r"code_validation.apps_difficulty='competition' has no effect with dataset='test'"
    with pytest.warns(NipWarning, match=message):
        check_code_validation_dataset(params, ExperimentSettings())


def test_options_that_choose_among_rows_do_not_warn_where_they_are_read(monkeypatch) -> None:
    source = dataset_source_registry["codeparrot/apps"]
    monkeypatch.setattr(source, "check", lambda self, request: None)
    params = hyper_params("codeparrot/apps")
    params = params.with_changes({"code_validation.apps_difficulty": "competition"})
    check_code_validation_dataset(params, ExperimentSettings())
