"""Problems about strings: comparing texts and finding parts of them."""

import random

from nip.scenarios.code_validation.problems.inputs import random_word
from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _rotation_pair(generator: random.Random, size: int) -> Arguments:
    text = random_word(generator, "ab", 0, size)
    if generator.random() < 0.2:
        return text, random_word(generator, "ab", len(text), len(text) + 1)
    cut = generator.randint(0, len(text))
    return text, text[cut:] + text[:cut]


ROTATION_DISTANCE = Problem(
    name="rotation_distance",
    topic="strings",
    question="""\
Rotating a string moves its first character to the end. Write `solve(source, target)`, which returns
the smallest number of rotations (0 or more) that turn `source` into `target`, or -1 if no number
does. Both strings have at most 100 lowercase letters, not necessarily equally many; two empty
strings are 0 rotations apart.

Example: solve("abcd", "cdab") returns 2; solve("ab", "aab") returns -1.""",
    solutions=(
        """
def solve(source, target):
    if len(source) != len(target):
        return -1
    return (source + source).find(target)
""",
        """
def solve(source, target):
    if source == target:
        return 0
    rotated = source
    for count in range(1, len(source)):
        rotated = rotated[1:] + rotated[0]
        if rotated == target:
            return count
    return -1
""",
        """
def solve(source, target):
    size = len(source)
    if size != len(target):
        return -1
    if size == 0:
        return 0
    for start in range(size):
        matches = True
        for offset in range(size):
            if source[(start + offset) % size] != target[offset]:
                matches = False
                break
        if matches:
            return start
    return -1
""",
    ),
    make_input=_rotation_pair,
    edge_cases=(("", ""), ("", "a"), ("a", ""), ("a", "a"), ("ab", "ba"), ("abab", "baba")),
)


def _palindromic(generator: random.Random, size: int) -> Arguments:
    half = random_word(generator, "abc", 0, size // 2)
    middle = half + half[::-1][generator.randint(0, 1) :]
    return (
        random_word(generator, "abc", 0, size // 3) + middle + random_word(generator, "abc", 0, 3),
    )


LONGEST_PALINDROME = Problem(
    name="longest_palindrome",
    topic="strings",
    question="""\
A palindrome reads the same in both directions. Write `solve(text)`, which returns the longest
stretch of consecutive characters of the text that is a palindrome, and of several equally long ones
the leftmost. The text has at most 60 lowercase letters and may be empty, which gives "".

Example: solve("abcbab") returns "abcba"; solve("abc") returns "a".""",
    solutions=(
        """
def solve(text):
    best = ""
    for center in range(len(text)):
        for right in (center, center + 1):
            left = center
            while left >= 0 and right < len(text) and text[left] == text[right]:
                left -= 1
                right += 1
            if right - left - 1 > len(best):
                best = text[left + 1:right]
    return best
""",
        """
def solve(text):
    for length in range(len(text), 0, -1):
        for start in range(len(text) - length + 1):
            part = text[start:start + length]
            if part == part[::-1]:
                return part
    return ""
""",
        """
def solve(text):
    size = len(text)
    is_palindrome = [[False] * (size + 1) for _ in range(size + 1)]
    best_start = 0
    best_length = 0
    for length in range(1, size + 1):
        for start in range(0, size - length + 1):
            end = start + length - 1
            if text[start] != text[end]:
                continue
            if length <= 2 or is_palindrome[start + 1][end - 1]:
                is_palindrome[start][end] = True
                if length > best_length:
                    best_start = start
                    best_length = length
    return text[best_start:best_start + best_length]
""",
    ),
    make_input=_palindromic,
    edge_cases=(("",), ("a",), ("ab",), ("aa",), ("aba",), ("abba",), ("abcddc",), ("aabaa",)),
)


def _near_pair(generator: random.Random, size: int) -> Arguments:
    first = random_word(generator, "ab", 0, size // 2)
    second = first
    for _ in range(generator.choice((0, 1, 1, 1, 2))):
        place = generator.randint(0, len(second))
        middle = generator.choice(("", "a", "b"))
        second = second[:place] + middle + second[place + generator.randint(0, 1) :]
    return first, second


ONE_EDIT = Problem(
    name="one_edit_apart",
    topic="strings",
    question="""\
An edit replaces one character of a string by another one, inserts one character anywhere, or
removes one. Write `solve(first, second)`, which tells whether exactly one edit turns the first
string into the second, that is: they are not equal, and a single edit is enough. Both strings have
at most 100 lowercase letters.

Example: solve("cat", "cart") returns True; solve("cat", "cat") and solve("cat", "act") return
False.""",
    solutions=(
        """
def solve(first, second):
    if len(first) > len(second):
        return solve(second, first)
    if len(second) - len(first) > 1:
        return False
    for place in range(len(first)):
        if first[place] != second[place]:
            if len(first) == len(second):
                return first[place + 1:] == second[place + 1:]
            return first[place:] == second[place + 1:]
    return len(first) != len(second)
""",
        """
def solve(first, second):
    start = 0
    while start < min(len(first), len(second)) and first[start] == second[start]:
        start += 1
    end_first = len(first)
    end_second = len(second)
    while min(end_first, end_second) > start:
        if first[end_first - 1] != second[end_second - 1]:
            break
        end_first -= 1
        end_second -= 1
    return max(end_first - start, end_second - start) == 1
""",
        """
def solve(first, second):
    if abs(len(first) - len(second)) > 1 or first == second:
        return False
    if len(first) == len(second):
        differing = 0
        for left, right in zip(first, second):
            if left != right:
                differing += 1
        return differing == 1
    shorter, longer = sorted((first, second), key=len)
    for place in range(len(longer)):
        if longer[:place] + longer[place + 1:] == shorter:
            return True
    return False
""",
    ),
    make_input=_near_pair,
    edge_cases=(
        ("", ""),
        ("", "a"),
        ("a", ""),
        ("a", "b"),
        ("ab", "ba"),
        ("aa", "aaa"),
        ("", "ab"),
    ),
)


def _window(generator: random.Random, size: int) -> Arguments:
    text = random_word(generator, "aeibcdfg", 0, size)
    return text, generator.randint(1, 1 + size // 2)


VOWEL_WINDOW = Problem(
    name="vowel_window",
    topic="strings",
    question="""\
Write `solve(text, length)`, which looks at all stretches of `length` consecutive letters of the
text and returns the position at which the one with the most vowels (a, e, i, o, u) begins; of
several with equally many, the last one counts. If the text has fewer than `length` letters, return
-1. The text has at most 200 lowercase letters, and the length is at least 1.

Example: solve("banana", 3) returns 3, since "ana" at 1 and "ana" at 3 have two vowels each.""",
    solutions=(
        """
def solve(text, length):
    best_start = -1
    best_count = 0
    count = 0
    for end, letter in enumerate(text):
        if letter in "aeiou":
            count += 1
        start = end - length + 1
        if start > 0 and text[start - 1] in "aeiou":
            count -= 1
        if start >= 0 and count >= best_count:
            best_start = start
            best_count = count
    return best_start
""",
        """
def solve(text, length):
    totals = [0]
    for letter in text:
        totals.append(totals[-1] + (letter in "aeiou"))
    best = -1
    most = -1
    for start in range(len(text) - length + 1):
        inside = totals[start + length] - totals[start]
        if inside >= most:
            most = inside
            best = start
    return best
""",
    ),
    make_input=_window,
    edge_cases=(("", 1), ("a", 1), ("b", 1), ("ab", 3), ("bbb", 2), ("aaa", 2), ("banana", 3)),
)

PROBLEMS = (ROTATION_DISTANCE, LONGEST_PALINDROME, ONE_EDIT, VOWEL_WINDOW)
