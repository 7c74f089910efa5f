"""Problems about strings: names, keys and columns."""

import random

from nip.scenarios.code_validation.problems.inputs import random_word
from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _words(generator: random.Random, size: int) -> Arguments:
    number = generator.randint(0 if size < 3 else 1, 1 + size // 4)
    return ([random_word(generator, "abcxyz", 0, 1 + size // 4) for _ in range(number)],)


VERTICAL_WORDS = Problem(
    name="vertical_words",
    topic="strings",
    question="""\
Words are written one below the other, all beginning in the first column, and then read by columns
from left to right, each from top to bottom. A word that is too short for a column leaves a space in
it, but spaces at the end of a column are left out. Write `solve(words)`, which returns the list of
the columns. There are at most 12 words of at most 12 lowercase letters each; words may be empty.

Example: solve(["how", "a", "it"]) returns ["hai", "o t", "w"].""",
    solutions=(
        """
def solve(words):
    width = max([len(word) for word in words], default=0)
    columns = []
    for place in range(width):
        letters = [word[place] if place < len(word) else " " for word in words]
        columns.append("".join(letters).rstrip())
    return columns
""",
        """
from itertools import zip_longest

def solve(words):
    return ["".join(column).rstrip() for column in zip_longest(*words, fillvalue=" ")]
""",
        """
def solve(words):
    columns = []
    for row, word in enumerate(words):
        for place, letter in enumerate(word):
            if place == len(columns):
                columns.append("")
            columns[place] = columns[place] + " " * (row - len(columns[place])) + letter
    return columns
""",
    ),
    make_input=_words,
    edge_cases=(
        ([],),
        ([""],),
        (["a"],),
        (["abc"],),
        (["how", "a", "it"],),
        (["", "ab"],),
        (["ab", ""],),
        (["a", "", "abc", "x"],),
    ),
)


def _keyed(generator: random.Random, size: int) -> Arguments:
    letters = "abcxyzABZ -."
    return random_word(generator, letters, 0, 2 + size), random_word(generator, "abkyz", 1, 5)


KEYWORD_CIPHER = Problem(
    name="keyword_cipher",
    topic="strings",
    question="""\
A text is encrypted with a keyword. Each letter moves forward in the alphabet by the position of a
letter of the keyword, where a is 0, b is 1, and so on; after z comes a again. The letters of the
keyword are used in turn, again and again, but only letters of the text use one up: all other
characters stay as they are. Capital letters move in the same way and stay capital. Write
`solve(text, keyword)`, which returns the encrypted text. The text has at most 60 characters; the
keyword has 1 to 10 lowercase letters.

Example: solve("Ab, cZ", "bc") returns "Bd, dB".""",
    solutions=(
        """
def solve(text, keyword):
    result = []
    used = 0
    for character in text:
        if character.isalpha():
            base = ord("A") if character.isupper() else ord("a")
            shift = ord(keyword[used % len(keyword)]) - ord("a")
            character = chr(base + (ord(character) - base + shift) % 26)
            used += 1
        result.append(character)
    return "".join(result)
""",
        """
from itertools import cycle
from string import ascii_lowercase, ascii_uppercase

def solve(text, keyword):
    shifts = cycle(ascii_lowercase.index(letter) for letter in keyword)
    result = ""
    for character in text:
        for alphabet in (ascii_lowercase, ascii_uppercase):
            if character in alphabet:
                shift = next(shifts)
                character = (alphabet * 2)[alphabet.index(character) + shift]
                break
        result += character
    return result
""",
    ),
    make_input=_keyed,
    edge_cases=(
        ("", "a"),
        ("a", "a"),
        ("z", "b"),
        ("Z", "z"),
        ("Ab, cZ", "bc"),
        ("a a a", "bc"),
        ("...", "b"),
        ("abcabc", "bcd"),
    ),
)


def _name(generator: random.Random, size: int) -> Arguments:
    parts = []
    for _ in range(generator.randint(0 if size < 3 else 1, 1 + size // 4)):
        kind = generator.randint(0, 3)
        if kind == 0:
            parts.append(random_word(generator, "ABC", 1, 3))
        elif kind == 1:
            parts.append(random_word(generator, "abc", 1, 3))
        elif kind == 2:
            parts.append(random_word(generator, "AB", 1, 1) + random_word(generator, "abc", 1, 3))
        else:
            parts.append(random_word(generator, "12", 1, 2))
    return ("".join(parts),)


SNAKE_CASE_NAME = Problem(
    name="snake_case_name",
    topic="strings",
    question="""\
A name in a program consists of letters and digits. Write `solve(name)`, which writes it with
underscores: an underscore is put before a capital letter if a lowercase letter or a digit stands
before it, and also if a capital letter stands before it and a lowercase letter behind it. Then all
letters are written in lowercase. The name has at most 60 characters and may be empty.

Example: solve("readHTTPHeader2Map") returns "read_http_header2_map"; solve("ABc") returns
"a_bc".""",
    solutions=(
        """
def solve(name):
    result = ""
    for place, character in enumerate(name):
        if character.isupper() and place > 0:
            before = name[place - 1]
            after = name[place + 1:place + 2]
            if not before.isupper() or after.islower():
                result += "_"
        result += character.lower()
    return result
""",
        """
import re

def solve(name):
    name = re.sub(r"([A-Z])([A-Z][a-z])", r"\\1_\\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\\1_\\2", name).lower()
""",
        """
def solve(name):
    words = []
    for place, character in enumerate(name):
        starts = place == 0
        if not starts and character.isupper():
            follows_capital = name[place - 1].isupper()
            ends_capitals = place + 1 < len(name) and name[place + 1].islower()
            starts = not follows_capital or ends_capitals
        if starts:
            words.append("")
        words[-1] += character.lower()
    return "_".join(words)
""",
    ),
    make_input=_name,
    edge_cases=(
        ("",),
        ("a",),
        ("A",),
        ("AB",),
        ("ABc",),
        ("aB",),
        ("1B",),
        ("A1",),
        ("readHTTPHeader2Map",),
        ("ABcD",),
    ),
)


PROBLEMS = (VERTICAL_WORDS, KEYWORD_CIPHER, SNAKE_CASE_NAME)
