"""Problems about strings: texts made of words, and lists of words."""

import random

from nip.scenarios.code_validation.problems.inputs import random_word
from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _prefix_words(generator: random.Random, size: int) -> Arguments:
    stem = random_word(generator, "ab", 0, size // 3)
    num_words = generator.randint(0, 5)
    return ([stem + random_word(generator, "ab", 0, 3) for _ in range(num_words)],)


COMMON_PREFIX_AND_SUFFIX = Problem(
    name="common_prefix_and_suffix",
    topic="strings",
    question="""\
Write `solve(words)`. It gets a list of at most 20 words, which may be empty strings, and returns a
list of two strings: the longest beginning that all words have in common, and the longest ending
that they have in common. Both may be the whole word. For an empty list return ["", ""].

Example: solve(["inside", "include"]) returns ["in", "de"].""",
    solutions=(
        """
def solve(words):
    if not words:
        return ["", ""]
    shortest = min(len(word) for word in words)
    first = words[0]
    prefix = 0
    while prefix < shortest and all(word[prefix] == first[prefix] for word in words):
        prefix += 1
    suffix = 0
    while suffix < shortest and all(word[-1 - suffix] == first[-1 - suffix] for word in words):
        suffix += 1
    return [first[:prefix], first[len(first) - suffix:]]
""",
        """
def solve(words):
    def common(group):
        if not group:
            return ""
        low = min(group)
        high = max(group)
        for position, letter in enumerate(low):
            if position >= len(high) or letter != high[position]:
                return low[:position]
        return low

    backwards = [word[::-1] for word in words]
    return [common(words), common(backwards)[::-1]]
""",
        """
def solve(words):
    if len(words) == 0:
        return ["", ""]
    prefix = words[0]
    suffix = words[0]
    for word in words[1:]:
        while not word.startswith(prefix):
            prefix = prefix[:-1]
        while not word.endswith(suffix):
            suffix = suffix[1:]
    return [prefix, suffix]
""",
    ),
    make_input=_prefix_words,
    edge_cases=(
        ([],),
        ([""],),
        (["abc"],),
        (["abc", "abc"],),
        (["ab", ""],),
        (["ab", "abab"],),
        (["inside", "include"],),
    ),
)


def _title(generator: random.Random, size: int) -> Arguments:
    words = ("of", "the", "and", "a", "river", "STONE", "an", "night", "The", "oF", "in", "x")
    chosen = [generator.choice(words) for _ in range(size // 2)]
    return (generator.choice((" ", " ", "  ")).join(chosen),)


BOOK_TITLE = Problem(
    name="book_title",
    topic="strings",
    question="""\
Write `solve(title)`, which writes the title of a book in its proper form. The title consists of
words of letters, separated by one or more spaces. In the result, words are separated by one space,
and every word has a capital first letter and is lowercase otherwise. Only the small words "a",
"an", "and", "in", "of" and "the" (in whatever case they were) are lowercase altogether, unless they
are the first or the last word. An empty title gives an empty string.

Example: solve("the LORD of  the rings") returns "The Lord of the Rings".""",
    solutions=(
        """
def solve(title):
    small = {"a", "an", "and", "in", "of", "the"}
    words = title.lower().split()
    result = []
    for position, word in enumerate(words):
        is_inner = 0 < position < len(words) - 1
        if is_inner and word in small:
            result.append(word)
        else:
            result.append(word[0].upper() + word[1:])
    return " ".join(result)
""",
        """
def solve(title):
    words = [word.capitalize() for word in title.split()]
    for position in range(1, len(words) - 1):
        if words[position] in ("A", "An", "And", "In", "Of", "The"):
            words[position] = words[position].lower()
    return " ".join(words)
""",
    ),
    make_input=_title,
    edge_cases=(("",), ("a",), ("the end",), ("end OF",), ("a a a",), ("the LORD of  the rings",)),
)


def _wrapping(generator: random.Random, size: int) -> Arguments:
    width = generator.randint(3, 12)
    words = [random_word(generator, "abc", 1, width) for _ in range(size // 2)]
    return (" ".join(words), width)


WORD_WRAP = Problem(
    name="word_wrap",
    topic="strings",
    question="""\
Write `solve(text, width)`, which breaks a text into lines. The words of the text are separated by
single spaces. Words are put on a line, separated by single spaces, as long as the line has at most
`width` characters; a word that does not fit any more begins the next line. The result is the list
of lines. The width is between 3 and 40, no word is longer than it, and an empty text gives an empty
list.

Example: solve("to be or not to be", 5) returns ["to be", "or", "not", "to be"].""",
    solutions=(
        """
def solve(text, width):
    lines = []
    line = ""
    for word in text.split():
        if not line:
            line = word
        elif len(line) + 1 + len(word) <= width:
            line += " " + word
        else:
            lines.append(line)
            line = word
    if line:
        lines.append(line)
    return lines
""",
        """
def solve(text, width):
    lines = []
    used = width + 1
    for word in text.split():
        if used + 1 + len(word) > width:
            lines.append([word])
            used = len(word)
        else:
            lines[-1].append(word)
            used += 1 + len(word)
    return [" ".join(line) for line in lines]
""",
        """
def solve(text, width):
    lines = []
    rest = text
    while rest:
        if len(rest) <= width:
            lines.append(rest)
            break
        cut = rest.rfind(" ", 0, width + 1)
        lines.append(rest[:cut])
        rest = rest[cut + 1:]
    return lines
""",
    ),
    make_input=_wrapping,
    edge_cases=(("", 5), ("abc", 3), ("ab cd", 5), ("ab cd", 4), ("a b c", 3), ("abc abc", 3)),
)


def _anagram_words(generator: random.Random, size: int) -> Arguments:
    letters = generator.choice(("ab", "abc"))
    return ([random_word(generator, letters, 1, 3) for _ in range(generator.randint(0, size))],)


ANAGRAM_GROUPS = Problem(
    name="anagram_groups",
    topic="strings",
    question="""\
Two words are anagrams if they consist of the same letters, each equally often. Write
`solve(words)`, which sorts words into groups of anagrams. A word that occurs several times is in
its group only once. Groups with a single word are left out. Every group is an alphabetically sorted
list of words; larger groups come before smaller ones, and groups of equal size in the alphabetical
order of their first words. There are at most 100 words of 1 to 10 lowercase letters.

Example: solve(["tea", "ab", "eat", "ba", "tea", "ate", "x"]) returns
[["ate", "eat", "tea"], ["ab", "ba"]].""",
    solutions=(
        """
def solve(words):
    groups = {}
    for word in sorted(set(words)):
        key = "".join(sorted(word))
        groups.setdefault(key, []).append(word)
    found = [group for group in groups.values() if len(group) > 1]
    return sorted(found, key=lambda group: (-len(group), group[0]))
""",
        """
def solve(words):
    remaining = sorted(set(words))
    groups = []
    while remaining:
        first = remaining[0]
        letters = sorted(first)
        group = [word for word in remaining if sorted(word) == letters]
        remaining = [word for word in remaining if sorted(word) != letters]
        if len(group) >= 2:
            groups.append(group)
    groups.sort(key=len, reverse=True)
    return groups
""",
    ),
    make_input=_anagram_words,
    edge_cases=(
        ([],),
        (["a"],),
        (["a", "a"],),
        (["ab", "ba"],),
        (["cb", "bc", "ab", "ba"],),
        (["tea", "ab", "eat", "ba", "tea", "ate", "x"],),
    ),
)

PROBLEMS = (COMMON_PREFIX_AND_SUFFIX, BOOK_TITLE, WORD_WRAP, ANAGRAM_GROUPS)
