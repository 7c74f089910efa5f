"""Drawing what the inputs of many problems are made of."""

import random


def random_word(generator: random.Random, letters: str, shortest: int, longest: int) -> str:
    """Draw a string of letters; of the shortest length if the longest is less."""
    length = generator.randint(shortest, max(shortest, longest))
    return "".join(generator.choice(letters) for _ in range(length))
