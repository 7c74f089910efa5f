"""Values that nothing could store or compute with are refused, whatever the field; others not."""

from pathlib import Path
from typing import Annotated, Any

import pytest
from annotated_types import Ge

from nip.parameters.fields.validation import check_value
from nip.parameters.fields.value_limits import problem_with_path, problem_with_value
from nip.parameters.types import NameOrPath, PathText, Seed


def nested(depth: int) -> list[Any]:
    """Return a number in as many lists."""
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (2**63, "An integer can be at most"),
        (-(10**400), "An integer can be at most"),
        (10**5000, "got a very long integer"),
        (1e308, "A number can be at most 3.4e+38 in size"),
        (-3.5e38, "A number can be at most 3.4e+38 in size"),
        (1e-308, "would be 0 in single precision"),
        ("a\0b", "Text cannot contain the character NUL"),
        ("\udcff", "Text must be valid Unicode"),
        ({"a": ["b", {"c": "\0"}]}, "NUL"),
        ({"\0": 1}, "NUL"),
        (nested(51), "can be nested 50 levels deep"),
        (nested(10**5), "can be nested 50 levels deep"),
    ],
    ids=lambda value: str(type(value)),
)
def test_values_beyond_the_limits_are_refused_in_one_short_message(value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=r"^rl\.x must be anything, got ") as caught:
        check_value(Any, value, "rl.x")
    assert said in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "value",
    [
        2**63 - 1,
        -(2**63 - 1),
        3.4e38,
        -1.2e-38,
        0.0,
        -0.0,
        "é\x1b\n",
        nested(49),
        True,
        None,
        [],
        {},
    ],
)
def test_values_within_the_limits_are_taken(value: Any) -> None:
    assert problem_with_value(value) is None


def test_a_seed_may_have_more_bits_because_it_is_only_hashed() -> None:
    assert check_value(Seed, 2**128, "seed") == 2**128
    with pytest.raises(ValueError, match=r"at most 1e\+100"):
        check_value(Seed, 10**101, "seed")
    with pytest.raises(ValueError, match="at most 9"):
        check_value(Annotated[int, Ge(0)], 2**128, "rl.num_epochs")


@pytest.mark.parametrize("annotation", [PathText, PathText | None, NameOrPath])
@pytest.mark.parametrize("path", ["x" * 256, f"a/{'é' * 128}/b", "ab/" * 1400, "\0"])
def test_paths_that_no_file_system_has_are_refused(annotation: Any, path: str) -> None:
    with pytest.raises(ValueError, match=r"^settings\.x must be a string"):
        check_value(annotation, path, "settings.x")


def test_paths_that_a_file_system_has_are_taken(tmp_path: Path) -> None:
    path = f"{tmp_path}/{'x' * 255}"
    assert problem_with_path(path) is None
    Path(path).touch()
    assert check_value(PathText, Path(path), "settings.x") == path
