"""Problems about strings: writing a text in another form."""

import random

from nip.scenarios.code_validation.problems.inputs import random_word
from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _runs(generator: random.Random, size: int) -> Arguments:
    parts = [generator.choice("abc") * generator.choice((1, 1, 2, 3, 11)) for _ in range(size // 2)]
    return ("".join(parts),)


RUN_LENGTHS = Problem(
    name="run_lengths",
    topic="strings",
    question="""\
A run is a longest possible stretch of equal characters. Write `solve(text)`, which encodes a
string of lowercase letters by its runs: each run becomes its letter, followed by the length of the
run if that is more than 1. The text has between 0 and 200 letters.

Example: solve("aaabccd") returns "a3bc2d"; solve("") returns "".""",
    solutions=(
        """
def solve(text):
    parts = []
    start = 0
    for position in range(1, len(text) + 1):
        if position == len(text) or text[position] != text[start]:
            length = position - start
            parts.append(text[start])
            if length > 1:
                parts.append(str(length))
            start = position
    return "".join(parts)
""",
        """
from itertools import groupby

def solve(text):
    encoded = ""
    for letter, group in groupby(text):
        count = len(list(group))
        encoded += letter if count == 1 else letter + str(count)
    return encoded
""",
        """
def solve(text):
    if not text:
        return ""
    result = ""
    current = text[0]
    count = 0
    for letter in text:
        if letter == current:
            count += 1
            continue
        result += current
        if count > 1:
            result += str(count)
        current = letter
        count = 1
    result += current
    if count > 1:
        result += str(count)
    return result
""",
    ),
    make_input=_runs,
    edge_cases=(("",), ("a",), ("aa",), ("abc",), ("aabb",), ("zzzzzzzzzz",)),
)


def _vowel_text(generator: random.Random, size: int) -> Arguments:
    return (random_word(generator, "aeiouAEIOUbcd ", 0, size),)


REVERSE_VOWELS = Problem(
    name="reverse_vowels",
    topic="strings",
    question="""\
Write `solve(text)`, which returns the text with its vowels (a, e, i, o, u, in either case) in
reverse order, while all other characters stay where they are. A vowel keeps its case when it moves.
The text has at most 200 characters.

Example: solve("Hello, Ada") returns "HallA, ode".""",
    solutions=(
        """
def solve(text):
    vowels = [letter for letter in text if letter in "aeiouAEIOU"]
    result = []
    for letter in text:
        if letter in "aeiouAEIOU":
            result.append(vowels.pop())
        else:
            result.append(letter)
    return "".join(result)
""",
        """
def solve(text):
    letters = list(text)
    left = 0
    right = len(letters) - 1
    while left < right:
        if letters[left].lower() not in "aeiou":
            left += 1
        elif letters[right].lower() not in "aeiou":
            right -= 1
        else:
            letters[left], letters[right] = letters[right], letters[left]
            left += 1
            right -= 1
    return "".join(letters)
""",
    ),
    make_input=_vowel_text,
    edge_cases=(("",), ("a",), ("b",), ("ae",), ("Abe",), ("bcd",), ("Hello, Ada",)),
)


def _cipher_input(generator: random.Random, size: int) -> Arguments:
    return (random_word(generator, "abcxyzABCXYZ ,", 0, size), generator.randint(-60, 60))


ALTERNATING_CIPHER = Problem(
    name="alternating_cipher",
    topic="strings",
    question="""\
Write `solve(text, shift)`, which enciphers a text of letters, spaces and commas. The letters are
counted from 0, the other characters are not. A letter with an even count moves `shift` places
forward in the alphabet, a letter with an odd count `shift` places backward; after z comes a again.
Case is kept, other characters stay as they are. The shift is an integer from -60 to 60.

Example: solve("ab, Yz", 2) returns "cz, Ax".""",
    solutions=(
        """
def solve(text, shift):
    result = ""
    count = 0
    for character in text:
        if not character.isalpha():
            result += character
            continue
        base = ord("a") if character.islower() else ord("A")
        step = shift if count % 2 == 0 else -shift
        result += chr((ord(character) - base + step) % 26 + base)
        count += 1
    return result
""",
        """
def solve(text, shift):
    lower = "abcdefghijklmnopqrstuvwxyz"
    upper = lower.upper()
    enciphered = []
    forward = True
    for character in text:
        for alphabet in (lower, upper):
            if character in alphabet:
                place = alphabet.index(character)
                place += shift if forward else -shift
                enciphered.append(alphabet[place % 26])
                forward = not forward
                break
        else:
            enciphered.append(character)
    return "".join(enciphered)
""",
    ),
    make_input=_cipher_input,
    edge_cases=(("", 3), ("a", 0), ("zZ", 1), ("aA", 1), (", ,", 5), ("abc", 26), ("ab, Yz", 2)),
)


def _rails(generator: random.Random, size: int) -> Arguments:
    return (random_word(generator, "abcdefgh", 0, size), generator.randint(1, 6))


RAIL_FENCE = Problem(
    name="rail_fence",
    topic="strings",
    question="""\
Write `solve(text, num_rails)`. The characters of the text are written one by one on rails that are
numbered from 0: beginning on rail 0, each next character goes one rail down until the last rail is
reached, then one rail up until rail 0 is reached, then down again, and so on. The result is what
stands on rail 0, followed by what stands on rail 1, and so on. The text has at most 100 lowercase
letters, and there are 1 to 10 rails; on a single rail the text stays as it is.

Example: solve("abcdefg", 3) returns "aebdfcg": the rails hold "ae", "bdf" and "cg".""",
    solutions=(
        """
def solve(text, num_rails):
    if num_rails == 1:
        return text
    rails = [""] * num_rails
    rail = 0
    step = 1
    for letter in text:
        rails[rail] += letter
        if rail == 0:
            step = 1
        elif rail == num_rails - 1:
            step = -1
        rail += step
    return "".join(rails)
""",
        """
def solve(text, num_rails):
    period = max(1, 2 * (num_rails - 1))
    placed = []
    for position, letter in enumerate(text):
        phase = position % period
        rail = min(phase, period - phase)
        placed.append((rail, position, letter))
    return "".join(letter for _, _, letter in sorted(placed))
""",
        """
def solve(text, num_rails):
    if num_rails == 1 or num_rails >= len(text):
        return text
    period = 2 * num_rails - 2
    result = []
    for rail in range(num_rails):
        for start in range(0, len(text) + period, period):
            up = start - rail
            down = start + rail
            if 0 < rail < num_rails - 1 and 0 <= up < len(text):
                result.append(text[up])
            if down < len(text):
                result.append(text[down])
    return "".join(result)
""",
    ),
    make_input=_rails,
    edge_cases=(("", 3), ("a", 1), ("ab", 2), ("abc", 1), ("abcdefg", 3), ("abcd", 10)),
)


def _mask_input(generator: random.Random, size: int) -> Arguments:
    return (random_word(generator, "0123456789 -x", 0, size), generator.randint(0, 5))


MASK_DIGITS = Problem(
    name="mask_digits",
    topic="strings",
    question="""\
Write `solve(text, num_shown)`, which hides the digits of a text. Every digit becomes "*", except
the last `num_shown` digits of the text, which stay as they are, like all characters that are not
digits. If the text has at most `num_shown` digits, nothing is hidden. The text has at most 100
characters out of digits, spaces, hyphens and the letter x; 0 <= num_shown <= 20.

Example: solve("12-345 x6", 3) returns "**-*45 x6".""",
    solutions=(
        """
def solve(text, num_shown):
    num_hidden = sum(character.isdigit() for character in text) - num_shown
    result = []
    for character in text:
        if character.isdigit() and num_hidden > 0:
            result.append("*")
            num_hidden -= 1
        else:
            result.append(character)
    return "".join(result)
""",
        """
def solve(text, num_shown):
    result = ""
    seen = 0
    for character in reversed(text):
        if "0" <= character <= "9":
            seen += 1
            if seen > num_shown:
                character = "*"
        result = character + result
    return result
""",
        """
def solve(text, num_shown):
    places = [place for place in range(len(text)) if text[place] in "0123456789"]
    hidden = set(places[:max(0, len(places) - num_shown)])
    return "".join("*" if place in hidden else text[place] for place in range(len(text)))
""",
    ),
    make_input=_mask_input,
    edge_cases=(("", 0), ("1", 0), ("1", 1), ("12", 1), ("x-x", 2), ("90", 5), ("12-345 x6", 3)),
)

PROBLEMS = (RUN_LENGTHS, REVERSE_VOWELS, ALTERNATING_CIPHER, RAIL_FENCE, MASK_DIGITS)
