"""Problems about dynamic programming: in how many ways something can be done."""

import random

from nip.scenarios.code_validation.problems.inputs import random_word
from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _stamps(generator: random.Random, size: int) -> Arguments:
    values = generator.sample(range(1, 9), generator.randint(0, 4 if size > 8 else 2))
    return values, generator.randint(0, 4 + size)


STAMP_CHOICES = Problem(
    name="stamp_choices",
    topic="dynamic_programming",
    question="""\
There are stamps of several kinds, and two copies of each kind. Write `solve(values, postage)`,
where `values` gives the value of each kind (different integers of at least 1, at most 6 of them, in
any order), which returns in how many ways stamps can be chosen whose values add up to exactly the
postage, an integer between 0 and 100. Only the number of stamps of each kind makes a difference. A
postage of 0 has one way: no stamps.

Example: solve([1, 2, 3], 4) returns 3, for 1+1+2, 1+3 and 2+2.""",
    solutions=(
        """
def solve(values, postage):
    ways = [1] + [0] * postage
    for value in values:
        updated = list(ways)
        for amount in range(postage + 1):
            for copies in (1, 2):
                if amount >= copies * value:
                    updated[amount] += ways[amount - copies * value]
        ways = updated
    return ways[postage]
""",
        """
def solve(values, postage):
    if postage < 0:
        return 0
    if not values:
        return 1 if postage == 0 else 0
    first, rest = values[0], values[1:]
    return sum(solve(rest, postage - copies * first) for copies in range(3))
""",
        """
from itertools import product

def solve(values, postage):
    count = 0
    for copies in product((0, 1, 2), repeat=len(values)):
        total = sum(number * value for number, value in zip(copies, values))
        if total == postage:
            count += 1
    return count
""",
    ),
    make_input=_stamps,
    edge_cases=(
        ([], 0),
        ([], 1),
        ([5], 10),
        ([5], 15),
        ([1, 2, 3], 4),
        ([1, 2, 3], 12),
        ([8, 4, 2, 1], 7),
        ([3, 6, 9], 0),
    ),
)


def _text_and_words(generator: random.Random, size: int) -> Arguments:
    words = []
    for _ in range(generator.randint(1, 2 + size // 3)):
        word = random_word(generator, "ab", 1, 3)
        if word not in words:
            words.append(word)
    text = "".join(generator.choice(words) for _ in range(generator.randint(0, 1 + size // 3)))
    if generator.random() < 0.2:
        text += generator.choice("ab")
    return text, words


WAYS_TO_SPLIT = Problem(
    name="ways_to_split",
    topic="dynamic_programming",
    question="""\
Someone has forgotten the spaces between words. Write `solve(text, words)`, which returns in how
many ways the text can be cut into pieces that all are in the list `words`, which has at most 20
words, none of them empty and no two equal. A word may be used any number of times. The text has at
most 30 lowercase letters; an empty one can be cut in one way, into no pieces.

Example: solve("abab", ["a", "b", "ab"]) returns 4; solve("abc", ["ab", "bc"]) returns 0.""",
    solutions=(
        """
def solve(text, words):
    ways = [0] * (len(text) + 1)
    ways[0] = 1
    for end in range(1, len(text) + 1):
        for word in words:
            start = end - len(word)
            if start >= 0 and text[start:end] == word:
                ways[end] += ways[start]
    return ways[-1]
""",
        """
from functools import cache

def solve(text, words):
    known = set(words)

    @cache
    def count(start):
        if start == len(text):
            return 1
        total = 0
        for end in range(start + 1, len(text) + 1):
            if text[start:end] in known:
                total += count(end)
        return total

    return count(0)
""",
        """
def solve(text, words):
    counts = {len(text): 1}
    for start in reversed(range(len(text))):
        counts[start] = 0
        for word in words:
            if text.startswith(word, start):
                counts[start] += counts[start + len(word)]
    return counts[0]
""",
    ),
    make_input=_text_and_words,
    edge_cases=(
        ("", ["a"]),
        ("", []),
        ("a", []),
        ("a", ["a"]),
        ("aaaa", ["a", "aa"]),
        ("abab", ["a", "b", "ab"]),
        ("abc", ["ab", "bc"]),
        ("aab", ["aa", "a"]),
    ),
)


def _walk(generator: random.Random, size: int) -> Arguments:
    steps = generator.randint(0, 2 + size // 2)
    if generator.random() < 0.7:
        steps -= steps % 2
    return steps, generator.randint(0, 4), generator.randint(0, 1)


BOUNDED_WALKS = Problem(
    name="bounded_walks",
    topic="dynamic_programming",
    question="""\
A walker starts on the ground, at height 0, and each of his steps leads up by 1, down by 1, or, if
`level` is 1, along at the same height (if `level` is 0, no step does). Write
`solve(steps, ceiling, level)`, which returns how many different walks of exactly `steps` steps end
on the ground again and never leave the heights from 0 to `ceiling`. The number of steps is between
0 and 20, and the ceiling between 0 and 10. The walk of 0 steps counts as one.

Example: solve(4, 2, 0) returns 2; solve(3, 1, 1) returns 4.""",
    solutions=(
        """
def solve(steps, ceiling, level):
    ways = [1] + [0] * ceiling
    for _ in range(steps):
        following = []
        for height in range(ceiling + 1):
            total = ways[height] if level else 0
            if height > 0:
                total += ways[height - 1]
            if height < ceiling:
                total += ways[height + 1]
            following.append(total)
        ways = following
    return ways[0]
""",
        """
from functools import cache

def solve(steps, ceiling, level):
    moves = (-1, 0, 1) if level == 1 else (-1, 1)

    @cache
    def count(remaining, height):
        if not 0 <= height <= ceiling:
            return 0
        if remaining == 0:
            return 1 if height == 0 else 0
        return sum(count(remaining - 1, height + move) for move in moves)

    return count(steps, 0)
""",
        """
def solve(steps, ceiling, level):
    walks = {0: 1}
    for _ in range(steps):
        extended = {}
        for height, count in walks.items():
            targets = [height - 1, height + 1]
            if level:
                targets.append(height)
            for target in targets:
                if target >= 0 and target <= ceiling:
                    extended[target] = extended.get(target, 0) + count
        walks = extended
    return walks.get(0, 0)
""",
    ),
    make_input=_walk,
    edge_cases=(
        (0, 0, 0),
        (0, 3, 1),
        (1, 1, 0),
        (2, 0, 0),
        (2, 0, 1),
        (4, 2, 0),
        (3, 1, 1),
        (6, 2, 0),
        (8, 4, 1),
    ),
)


def _beads(generator: random.Random, size: int) -> Arguments:
    pattern = random_word(generator, "ab", 0, 1 + size // 7)
    return random_word(generator, "aab", 0, size), pattern


HIDDEN_WORD = Problem(
    name="hidden_word",
    topic="dynamic_programming",
    question="""\
Write `solve(text, word)`, which returns in how many ways the word can be got by crossing out
letters of the text, that is, how many different sets of places of the text spell the word when they
are read from left to right. The text has at most 30 lowercase letters, the word at most 10; an
empty word can be got in one way, by crossing out everything.

Example: solve("banana", "ban") returns 3; solve("ab", "ba") returns 0.""",
    solutions=(
        """
def solve(text, word):
    ways = [1] + [0] * len(word)
    for letter in text:
        for length in range(len(word), 0, -1):
            if word[length - 1] == letter:
                ways[length] += ways[length - 1]
    return ways[len(word)]
""",
        """
from functools import cache

def solve(text, word):
    @cache
    def count(i, j):
        if j == len(word):
            return 1
        if i == len(text):
            return 0
        ways = count(i + 1, j)
        if text[i] == word[j]:
            ways += count(i + 1, j + 1)
        return ways

    return count(0, 0)
""",
        """
def solve(text, word):
    table = [[0] * (len(word) + 1) for _ in range(len(text) + 1)]
    for row in table:
        row[0] = 1
    for i in range(1, len(text) + 1):
        for j in range(1, len(word) + 1):
            table[i][j] = table[i - 1][j]
            if text[i - 1] == word[j - 1]:
                table[i][j] += table[i - 1][j - 1]
    return table[-1][-1]
""",
    ),
    make_input=_beads,
    edge_cases=(
        ("", ""),
        ("a", ""),
        ("", "a"),
        ("ab", "ba"),
        ("banana", "ban"),
        ("aaaa", "aa"),
        ("abab", "ab"),
    ),
)

PROBLEMS = (STAMP_CHOICES, WAYS_TO_SPLIT, BOUNDED_WALKS, HIDDEN_WORD)
