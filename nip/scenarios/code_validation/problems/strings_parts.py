"""Problems about strings: finding parts of a text."""

import random

from nip.scenarios.code_validation.problems.inputs import random_word
from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _text(generator: random.Random, size: int) -> Arguments:
    return (random_word(generator, "abcde"[: 2 + size // 6], 0, 2 + size),)


MOST_COMMON_PAIR = Problem(
    name="most_common_pair",
    topic="strings",
    question="""\
Two letters that stand next to each other in a text form a pair; pairs may overlap, so that "aaa"
has the pair "aa" twice. Write `solve(text)`, which returns the pair that occurs most often. If
several occur equally often, it is the one that comes first in the alphabet. A text with fewer than
two letters gives the empty text. The text has at most 60 lowercase letters.

Example: solve("abcabd") returns "ab"; solve("ba") returns "ba"; solve("a") returns "".""",
    solutions=(
        """
from collections import Counter

def solve(text):
    counts = Counter(text[place:place + 2] for place in range(len(text) - 1))
    if not counts:
        return ""
    most = max(counts.values())
    return min(pair for pair in counts if counts[pair] == most)
""",
        """
def solve(text):
    best = ""
    best_count = 0
    pairs = sorted(first + second for first, second in zip(text, text[1:]))
    count = 0
    previous = ""
    for pair in pairs:
        count = count + 1 if pair == previous else 1
        previous = pair
        if count > best_count:
            best_count = count
            best = pair
    return best
""",
    ),
    make_input=_text,
    edge_cases=(("",), ("a",), ("ba",), ("aaa",), ("abab",), ("baba",), ("abcabd",), ("zyzyx",)),
)


LONGEST_DISTINCT_PART = Problem(
    name="longest_distinct_part",
    topic="strings",
    question="""\
Write `solve(text)`, which returns the longest part of a text in which no letter occurs twice. A
part consists of neighbouring letters. If several parts are equally long, it is the one that begins
furthest to the right. The text has at most 60 lowercase letters and may be empty.

Example: solve("abcab") returns "cab"; solve("aab") returns "ab".""",
    solutions=(
        """
def solve(text):
    best = ""
    start = 0
    seen = {}
    for place, letter in enumerate(text):
        if letter in seen and seen[letter] >= start:
            start = seen[letter] + 1
        seen[letter] = place
        if place + 1 - start >= len(best):
            best = text[start:place + 1]
    return best
""",
        """
def solve(text):
    for length in range(len(text), 0, -1):
        for start in range(len(text) - length, -1, -1):
            part = text[start:start + length]
            if len(set(part)) == length:
                return part
    return ""
""",
        """
from collections import deque

def solve(text):
    window = deque()
    best = ""
    for letter in text:
        while letter in window:
            window.popleft()
        window.append(letter)
        if len(window) >= len(best):
            best = "".join(window)
    return best
""",
    ),
    make_input=_text,
    edge_cases=(("",), ("a",), ("aa",), ("aab",), ("abab",), ("abcabcbb",), ("abba",), ("abcde",)),
)


def _scattered(generator: random.Random, size: int) -> Arguments:
    text = random_word(generator, "abc", 0, 2 + size)
    if generator.random() < 0.6:
        word = "".join(letter for letter in text if generator.random() < 0.4)
    else:
        word = random_word(generator, "abc", 0, 4)
    return text, word


EARLIEST_PLACES = Problem(
    name="earliest_places",
    topic="strings",
    question="""\
The letters of a word are looked for in a text from left to right: each letter must stand behind the
one found before, not necessarily directly behind it. Write `solve(text, word)`, which returns the
places of the letters, counted from 0, each as far to the left as possible. If the word cannot be
found in full, the list has only the places of the letters before the first one that is missing.
Text and word have at most 60 lowercase letters and may be empty.

Example: solve("banana", "ann") returns [1, 2, 4]; solve("abc", "cab") returns [2].""",
    solutions=(
        """
def solve(text, word):
    places = []
    start = 0
    for letter in word:
        place = text.find(letter, start)
        if place < 0:
            break
        places.append(place)
        start = place + 1
    return places
""",
        """
def solve(text, word):
    places = []
    for place, letter in enumerate(text):
        if len(places) < len(word) and letter == word[len(places)]:
            places.append(place)
    return places
""",
        """
def solve(text, word, skipped=0):
    if not word or word[0] not in text:
        return []
    place = text.index(word[0])
    rest = solve(text[place + 1:], word[1:], skipped + place + 1)
    return [skipped + place] + rest
""",
    ),
    make_input=_scattered,
    edge_cases=(
        ("", ""),
        ("", "a"),
        ("a", ""),
        ("a", "a"),
        ("a", "aa"),
        ("aaa", "aa"),
        ("banana", "ann"),
        ("abc", "cab"),
        ("abcabc", "cc"),
    ),
)


def _repeated(generator: random.Random, size: int) -> Arguments:
    unit = random_word(generator, "ab", 1, 1 + size // 4)
    text = unit * generator.randint(1, 4)
    if generator.random() < 0.4:
        text = text[: generator.randint(0, len(text))]
    return (text,)


REPEATED_UNIT = Problem(
    name="repeated_unit",
    topic="strings",
    question="""\
Every text is a shorter text written several times, or itself written once. Write `solve(text)`,
which returns a list of the shortest text of which the given one consists, and how often it is
written. The text has at most 60 lowercase letters; the empty text gives ["", 0].

Example: solve("ababab") returns ["ab", 3]; solve("aba") returns ["aba", 1].""",
    solutions=(
        """
def solve(text):
    for length in range(1, len(text) + 1):
        times = len(text) // length
        if text[:length] * times == text:
            return [text[:length], times]
    return ["", 0]
""",
        """
def solve(text):
    if not text:
        return ["", 0]
    length = (text + text).index(text, 1)
    return [text[:length], len(text) // length]
""",
        """
def solve(text):
    size = len(text)
    if size == 0:
        return ["", 0]
    borders = [0] * size
    matched = 0
    for place in range(1, size):
        while matched > 0 and text[place] != text[matched]:
            matched = borders[matched - 1]
        if text[place] == text[matched]:
            matched += 1
        borders[place] = matched
    length = size - borders[-1]
    if size % length != 0:
        length = size
    return [text[:length], size // length]
""",
    ),
    make_input=_repeated,
    edge_cases=(("",), ("a",), ("aa",), ("ab",), ("aba",), ("abab",), ("aabaab",), ("abaab",)),
)


PROBLEMS = (MOST_COMMON_PAIR, LONGEST_DISTINCT_PART, EARLIEST_PLACES, REPEATED_UNIT)
