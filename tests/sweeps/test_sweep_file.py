"""A file that cannot be meant is refused with the value, the rule and a way out."""

from pathlib import Path

import pytest

from nip.commands.sweep import main
from nip.errors import ParameterError
from nip.sweeps.sweep_file import read_sweep_file

TRIALS = "search: random\nnum_trials: 2\nparameters: {rl.lr: {low: 1e-4, high: 1e-2}}\n"


def read(tmp_path: Path, text: str, *changes: str):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return read_sweep_file(path, changes)


def test_the_name_of_the_file_is_that_of_the_sweep(tmp_path: Path) -> None:
    assert read(tmp_path, "base: {experiment: toy}").name == "mine"


def test_fields_on_the_command_line_take_precedence(tmp_path: Path) -> None:
    sweep = read(tmp_path, "workers: 2\nseeds: [1]", "workers=5", "dry_run=true", "seeds=[3,4]")
    assert (sweep.workers, sweep.dry_run, sweep.seeds) == (5, True, (3, 4))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("paramters: {}", "Did you mean 'parameters'"),
        ("workers: 0", "workers must be .* at least 1, got 0"),
        ("search: gird", "Did you mean 'grid'"),
        ("max_cost: -1", "max_cost must be"),
        ("seeds: [1, 2, 1]", "seeds must differ, got 1 more than once"),
        ("seeds: [1]\nbase: {seed: 3}", "seed is given although there are seeds"),
        ("base: {run_id: mine}", "run_id cannot be set in a sweep"),
        ("base: {hydra/launcher: joblib}", "hydra/launcher cannot be set in a sweep"),
        ("base: {rl.lr: 1}\nparameters: {rl.lr: [1]}", "rl.lr is both in base and"),
        ("parameters: {rl.lr: 0.1}", r"Write a single value as \[value\]"),
        ("parameters: {rl.lr: []}", "must be a list of at least one value"),
        ("parameters: {rl.lr: [1, 1.0]}", "has 1 twice"),
        ("parameters: {rl.lr: {low: 1, high: 2}}", "must be a list of at least one value, got"),
        ("search: list", "search=list needs combinations"),
        ("combinations: [{seed: 1}]", "combinations have no effect with search=grid"),
        ("search: list\ncombinations: [{}]\nparameters: {a: [1]}", "parameters have no effect"),
        ("num_trials: 3", "num_trials has no effect with search=grid"),
        ("metric: test_mean_accuracy", "metric has no effect with search=grid"),
        ("search: random\nparameters: {rl.lr: [1]}", "search=random needs num_trials"),
        ("search: random\nnum_trials: 1", "search=random needs parameters"),
        (TRIALS.replace("random", "optuna"), "search=optuna needs metric"),
        (TRIALS.replace("high", "hi"), "Did you mean 'high'"),
        (TRIALS.replace("1e-4", "1"), "must have low below high, got low=1 and high=0.01"),
        (TRIALS.replace("1e-4", "'1'"), "needs a number as low, got '1'"),
        (TRIALS.replace("1e-4", "0").replace("}}", ", log: true}}"), "must have low above 0"),
        (TRIALS.replace("1e-2", ".inf"), "needs a finite number as high, got inf"),
        ("name: a/b", "name must begin with a letter or digit"),
        (f"name: {'a' * 61}", "name must have at most 60 characters, got 61"),
        ("[1, 2]", "must be a mapping"),
        ("a: [", "not valid YAML"),
        ("a: 1\na: 2", "given twice"),
        ("base: {agents.prover.base_url: sk-abcdefghijklmnopqrstuvwxyz0123456789ABCD}", "key"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message) as caught:
        read(tmp_path, text)
    assert "mine.yaml" in str(caught.value)


@pytest.mark.parametrize("word", ["workers", "worker=2", "workers=many"])
def test_fields_on_the_command_line_are_checked_too(tmp_path: Path, word: str) -> None:
    with pytest.raises(ParameterError, match="workers"):
        read(tmp_path, "workers: 2", word)


@pytest.mark.parametrize("name", ["missing.yaml", ".", "\0"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ParameterError, match="cannot be read"):
        read_sweep_file(tmp_path / name)


def test_a_folder_is_no_file_of_a_sweep(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"it is a folder\. Give a YAML file, such as doc"):
        read_sweep_file(tmp_path)


def test_only_the_file_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([])
    assert "required: FILE." in capsys.readouterr().err
