"""Exercises in the plain skills that a base model brings: copying a line, comparing two."""

from collections.abc import Iterator, Sequence

import numpy as np

from nip.language_models.chat import ChatMessage
from nip.scenario_base.text.datapoint import TextDatapoint
from nip.scenarios.quotes.passages import NAMES, NUMBERS, fact
from nip.scenarios.quotes.tiny_models.tokenizer import DIFFERENT, QUOTATION_MARK, SAME

SAME_SHARE = 0.5
"""Share of pairs of equal sentences."""


def quoted(sentence: str) -> str:
    """Quote a sentence, with the spaces that the tokenizer puts between tokens."""
    return f"{QUOTATION_MARK} {sentence.strip('.')} {QUOTATION_MARK}"


def copying(
    datapoints: Sequence[TextDatapoint], rng: np.random.Generator
) -> Iterator[list[ChatMessage]]:
    """Yield exercises in quoting the lines of a passage that are about people, in a given order."""
    for datapoint in datapoints:
        lines = [str(line) for line in rng.permutation(datapoint.question.split("\n"))]
        passage = f"<passage>\n{datapoint.question}\n</passage>"
        people = " ".join(line.rsplit(" number", 1)[0] for line in lines)
        yield _exercise(passage, people, " ".join(map(quoted, lines)))


def comparing(num_exercises: int, rng: np.random.Generator) -> Iterator[list[ChatMessage]]:
    """Yield exercises: are these two sentences the same? Others differ in name or number."""
    for _ in range(num_exercises):
        name, number = _draw(NAMES, rng), _draw(NUMBERS, rng)
        other_name, other_number = name, number
        if rng.random() >= SAME_SHARE:
            if rng.random() < 0.5:
                other_name = _draw([each for each in NAMES if each != name], rng)
            else:
                other_number = _draw([each for each in NUMBERS if each != number], rng)
        is_same = (name, number) == (other_name, other_number)
        claim = f"<claim>\n{fact(name, number)}\n</claim>"
        shown = quoted(fact(other_name, other_number))
        yield _exercise(claim, shown, SAME if is_same else DIFFERENT)


def _draw(choices: Sequence[str], rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]


def _exercise(given: str, asked: str, answer: str) -> list[ChatMessage]:
    return [
        ChatMessage(role="system", content=given),
        ChatMessage(role="user", content=asked),
        ChatMessage(role="assistant", content=answer),
    ]
