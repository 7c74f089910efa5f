"""Parameters of runs as they are read for the pages, whatever their files hold."""

from pathlib import Path

import pytest

from nip.errors import NipError
from nip.utils.safe_yaml import load_yaml_in_c
from nip.viewer.runs.parameters import read_tree

LEVELS = 100_000
"""Enough for the stack of the parser in C to overflow."""

DEEP = {
    "lists": f"a: {'[' * LEVELS}{']' * LEVELS}",
    "mappings": f"a: {'{a: ' * LEVELS}{'}' * LEVELS}",
    "lists over lines": "a: " + "[\n" * LEVELS + "]\n" * LEVELS,
    "items": f"{'- ' * LEVELS}1",
    "questions": f"{'? ' * LEVELS}1",
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_a_file_that_is_nested_too_deeply_ends_no_process(text: str, tmp_path: Path) -> None:
    path = tmp_path / "hyper_params.yaml"
    path.write_text(text)
    with pytest.raises(NipError):
        read_tree(path)


def test_parameters_of_usual_size_are_left_to_the_fast_parser() -> None:
    text = f"rl: {{lr: 0.1}}\nagents:\n  prover: {{words: [{'a, ' * 500}]}}\n"
    assert load_yaml_in_c(text) == {"rl": {"lr": 0.1}, "agents": {"prover": {"words": ["a"] * 500}}}


def test_aliases_are_left_to_the_careful_parser(tmp_path: Path) -> None:
    path = tmp_path / "hyper_params.yaml"
    path.write_text("a: &a {b: 1}\nc: *a\n")
    assert load_yaml_in_c(path.read_text()) is None
    assert read_tree(path) == {"a": {"b": 1}, "c": {"b": 1}}
