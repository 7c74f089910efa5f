"""Training files are parsed line by line."""

import json

import pytest

from nip.language_models.server.training_file import (
    TrainingFileError,
    count_example_tokens,
    read_examples,
)
from tests.language_models.server.training_data import preference, supervised


def test_supervised_examples() -> None:
    examples = read_examples(supervised() + b"\n", "supervised")
    assert [example.answer for example in examples] == [f"learnt {n}" for n in range(10)]
    assert examples[3].messages[0]["content"] == "question 3" and examples[3].rejected is None
    # 4 tokens delimit the message, and its two words and those of the answer count 3 each.
    assert count_example_tokens(examples) == 10 * (4 + 3 + 3)


def test_preference_examples() -> None:
    examples = read_examples(preference(), "dpo")
    assert [(each.answer, each.rejected) for each in examples][2] == ("good 2", "bad 2")
    assert count_example_tokens(examples) == 10 * (4 + 3 + 3 + 3)


def without(name: str) -> bytes:
    line = json.loads(preference().splitlines()[0])
    del line[name]
    return json.dumps(line).encode()


@pytest.mark.parametrize(
    ("line", "method", "message"),
    [
        (b"{", "supervised", "Line 11 is not a valid supervised example"),
        (b'{"messages": []}', "supervised", "Line 11: messages must be a list"),
        (b'{"messages": [{"role": "user", "content": "?"}]}', "supervised", "must be assistant"),
        (without("input"), "dpo", "Line 11 is not a valid dpo example: 'input'"),
        (without("preferred_output"), "dpo", "preferred_output"),
    ],
)
def test_invalid_lines_are_named(line: bytes, method: str, message: str) -> None:
    valid = supervised() if method == "supervised" else preference()
    with pytest.raises(TrainingFileError, match=message):
        read_examples(valid + line, method)


def test_small_files_are_refused() -> None:
    with pytest.raises(TrainingFileError, match="has 9 examples; it must have at least 10"):
        read_examples(supervised(9), "supervised")
