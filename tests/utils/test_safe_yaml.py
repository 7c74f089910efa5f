"""YAML that would be read differently than meant, or without end, is refused."""

from unittest.mock import patch

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis.strategies import lists, sampled_from

from nip.parameters.tree import yaml_text
from nip.utils import safe_yaml
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


PARTS = [
    *("a", "word word", "1", "1e-3", "0x1f", "010", "1_000", "~", "true", "2001-01-01", "12:30"),
    *(
        ".inf",
        ": ",
        ":",
        "- ",
        "-",
        "\n",
        "\n  ",
        "\n    ",
        " ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "'",
        '"',
    ),
    *(
        "\\n",
        "#",
        " # c",
        "|",
        "|-",
        ">",
        "\n---\n",
        "...",
        "?",
        "? ",
        "!",
        "!!str ",
        "%",
        "@",
        "==",
    ),
    *(
        "<<",
        "\x85",
        "\u2028",
        "\ufeff",
        "\r\n",
        "\t",
        "key: value",
        "k: |\n  text\n",
        "\0",
        "\udc80",
    ),
]
"""Most of what means something in YAML."""


def read(text: str) -> str:
    """Return what a text is read as, or refused for; NaN equals itself then."""
    try:
        return repr(load_yaml(text, yaml_text._Loader))
    except yaml.YAMLError as error:
        return str(error)


@settings(max_examples=500)
@given(lists(sampled_from(PARTS), max_size=12).map("".join))
@example("seed: 1\nrl:\n  lr: 1e-3\nnames: [a, 'b']\n")
@example("key: |#")
@example("\n\ufeff- a")
@example("a:\tb")
@example("- !")
@example("{a? b? }")
@example("a: 1\na: 2")
def test_the_parser_in_c_reads_the_same(text: str) -> None:
    with patch.object(safe_yaml, "is_harmless", return_value=False):
        expected = read(text)
    assert read(text) == expected


def test_what_nip_writes_is_read_by_the_parser_in_c() -> None:
    text = yaml_text.dump({"seed": 1, "rl": {"lr": 1e-3, "names": ["a", None, True]}})
    with patch.object(yaml.SafeLoader, "check_token", side_effect=AssertionError):
        assert load_yaml(text)["rl"] == {"lr": 0.001, "names": ["a", None, True]}
