"""Generated passages of short facts, and claims about them."""

import numpy as np

from nip.scenario_base.text.datapoint import TextDatapoint, TextDataset, prover_stance_of
from nip.seeding import stable_seed

NAMES = (
    "Ada",
    "Ben",
    "Cleo",
    "Dov",
    "Eva",
    "Finn",
    "Gus",
    "Hana",
    "Ivo",
    "June",
    "Kai",
    "Lena",
    "Milo",
    "Nora",
    "Otto",
    "Pia",
    "Quinn",
    "Rosa",
    "Sami",
    "Tess",
)
"""The people that facts are about."""

NUMBERS = tuple("0123456789")
"""What a fact says of a person: a number."""


def fact(name: str, number: str) -> str:
    """Return the sentence of a fact, with a full stop."""
    return f"{name} has number {number}."


def make_passages(split: str, size: int, num_facts: int) -> TextDataset:
    """Generate datapoints: a passage as question, a claim as solution.

    A passage has ``num_facts`` facts about different people, one in a line. The claim is about one
    of these people. Every second claim is true; the number of a false one is drawn from the others.
    The datapoint with an index depends on nothing but split, index and ``num_facts``.
    """
    return TextDataset(_make_one(split, index, num_facts) for index in range(size))


def _make_one(split: str, index: int, num_facts: int) -> TextDatapoint:
    rng = np.random.default_rng(stable_seed("quotes", split, num_facts, index))
    people = rng.permutation(len(NAMES))[:num_facts]
    numbers = rng.integers(len(NUMBERS), size=num_facts)
    facts = [
        fact(NAMES[person], NUMBERS[number]) for person, number in zip(people, numbers, strict=True)
    ]
    subject = rng.integers(num_facts)
    y = index % 2
    # A false number is the true one plus 1 to 9, modulo 10, so that all are equally frequent.
    shift = 0 if y else int(rng.integers(1, len(NUMBERS)))
    claimed = (int(numbers[subject]) + shift) % len(NUMBERS)
    passage, claim = "\n".join(facts), fact(NAMES[people[subject]], NUMBERS[claimed])
    return TextDatapoint(
        id=f"{split}-{index}",
        question=passage,
        solution=claim,
        y=y,
        prover_stance=prover_stance_of(f"{passage}\n{claim}"),
        extra={"fact": facts[subject]},
    )
