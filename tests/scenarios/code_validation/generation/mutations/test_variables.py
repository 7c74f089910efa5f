"""Variables are confused only with others of the same kind."""

import pytest

from nip.scenarios.code_validation.generation.mutations import variables
from nip.scenarios.code_validation.generation.mutations.mutation import Mutation
from tests.scenarios.code_validation.generation.mutations.mistakes import texts


@pytest.mark.parametrize(
    ("mutation", "program", "mutants"),
    [
        (
            variables.wrong_variable,
            "def f(text, word):\n    i = 0\n    j = 1\n    return text[i]",
            [
                "def f(text, word):\n    i = 0\n    j = 1\n    return word[i]",
                "def f(text, word):\n    i = 0\n    j = 1\n    return text[j]",
            ],
        ),
    ],
)  # fmt: skip
def test_a_mutation_makes_its_mistakes(
    mutation: Mutation, program: str, mutants: list[str]
) -> None:
    assert list(texts(mutation, program)) == mutants
