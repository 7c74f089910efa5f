"""YAML that would be read differently than meant, or without end, is refused."""

import pytest
import yaml

from nip.utils.safe_yaml import load_yaml, problem_with_aliases

LAUGHS = "a0: &a0 [lol]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 10)
)
"""A billion times the same word, in eleven lines."""

MERGES = "a0: &a0 {k: 1}\n" + "".join(
    f"a{level}: &a{level}\n  <<: [*a{level - 1}, *a{level - 1}]\n" for level in range(1, 40)
)


@pytest.mark.parametrize("text", [LAUGHS, MERGES, "&a [*a]", "a: &a {b: *a}"])
def test_aliases_that_multiply_a_file_or_contain_themselves_are_refused(text: str) -> None:
    with pytest.raises(yaml.YAMLError, match="alias"):
        load_yaml(text)
    assert "alias" in str(problem_with_aliases(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3", "'a' is given twice .line 3."),
        ("x:\n  a: 1\n  'a': 3", "'a' is given twice"),
        ("[" * 5000, "nested too deeply"),
        ("{a: " * 5000, "nested too deeply"),
        ("a: 2001-99-99", "a value that does not exist"),
        (f"a: {'9' * 5000}", "a value that does not exist"),
        ("a: [", "expected"),
        ("!!python/object:os.system {}", "could not determine a constructor"),
    ],
    ids=lambda text: text[:15],
)
def test_what_is_wrong_is_always_a_yaml_error(text: str, said: str) -> None:
    with pytest.raises(yaml.YAMLError, match=said):
        load_yaml(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: &x [1, 2]\nb: *x", {"a": [1, 2], "b": [1, 2]}),
        ("a: &x {c: 1}\nb:\n  <<: *x\n  c: 2", {"a": {"c": 1}, "b": {"c": 2}}),
        ("\ufeffa: 1\r\nb: 2\r\n", {"a": 1, "b": 2}),
        ("", None),
    ],
)
def test_ordinary_aliases_byte_order_marks_and_line_ends_are_read(text: str, value: object) -> None:
    assert load_yaml(text) == value
    assert problem_with_aliases(text) is None
