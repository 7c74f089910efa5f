"""Problems about numbers: sequences and representations."""

import random

from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _start(generator: random.Random, size: int) -> Arguments:
    return (generator.randint(1, 3 + size * size),)


HAILSTONE_PEAK = Problem(
    name="hailstone_peak",
    topic="numbers",
    question="""\
A sequence begins with a positive integer. An even number is followed by its half, an odd number n
by 3n + 1; the sequence ends when it reaches 1. Write `solve(start)`, which returns a list of the
number of steps until then, and the largest number of the sequence, including the first one. The
first number is at most 1000.

Example: solve(6) returns [8, 16]; solve(1) returns [0, 1].""",
    solutions=(
        """
def solve(start):
    steps = 0
    largest = start
    while start != 1:
        if start % 2 == 0:
            start //= 2
        else:
            start = 3 * start + 1
        largest = max(largest, start)
        steps += 1
    return [steps, largest]
""",
        """
def solve(start):
    sequence = [start]
    while sequence[-1] > 1:
        last = sequence[-1]
        sequence.append(3 * last + 1 if last % 2 else last // 2)
    return [len(sequence) - 1, max(sequence)]
""",
        """
def solve(start):
    if start == 1:
        return [0, 1]
    steps, largest = solve(start // 2 if start % 2 == 0 else 3 * start + 1)
    return [steps + 1, max(start, largest)]
""",
    ),
    make_input=_start,
    edge_cases=((1,), (2,), (3,), (4,), (6,), (7,), (27,), (1000,)),
)


def _fraction(generator: random.Random, size: int) -> Arguments:
    denominator = generator.randint(2, 4 + size)
    return generator.randint(1, denominator - 1), denominator


EGYPTIAN_FRACTION = Problem(
    name="egyptian_fraction",
    topic="numbers",
    question="""\
A fraction between 0 and 1 is written as a sum of different fractions with numerator 1, such as
3/4 = 1/2 + 1/4. Each time, the largest fraction with numerator 1 that is not greater than the rest
is taken off, until nothing is left. Write `solve(numerator, denominator)`, which returns the list
of the denominators in this order. The denominator is between 2 and 24, and the numerator is at
least 1 and less than the denominator.

Example: solve(3, 4) returns [2, 4]; solve(5, 6) returns [2, 3].""",
    solutions=(
        """
def solve(numerator, denominator):
    parts = []
    while numerator > 0:
        part = -(-denominator // numerator)
        parts.append(part)
        numerator = numerator * part - denominator
        denominator = denominator * part
    return parts
""",
        """
from math import gcd

def solve(numerator, denominator):
    if numerator == 0:
        return []
    part = denominator // numerator
    if part * numerator < denominator:
        part += 1
    rest = numerator * part - denominator
    whole = denominator * part
    common = gcd(rest, whole)
    return [part] + solve(rest // common, whole // common)
""",
    ),
    make_input=_fraction,
    edge_cases=((1, 2), (2, 4), (3, 4), (5, 6), (2, 3), (4, 5), (4, 13), (23, 24)),
)


def _integer(generator: random.Random, size: int) -> Arguments:
    bound = 2 + size * size
    return (generator.randint(-bound, bound),)


BASE_MINUS_TWO = Problem(
    name="base_minus_two",
    topic="numbers",
    question="""\
Every integer can be written with the digits 0 and 1 in base -2, in which the digits stand, from the
right, for 1, -2, 4, -8, 16, and so on. Negative numbers need no sign. Write `solve(number)`, which
returns the digits as a text, without zeros at the front; 0 gives "0". The number is between -1000
and 1000.

Example: solve(3) returns "111", since 4 - 2 + 1 is 3; solve(-2) returns "10".""",
    solutions=(
        """
def solve(number):
    if number == 0:
        return "0"
    digits = ""
    while number != 0:
        digit = number % 2
        digits = str(digit) + digits
        number = (number - digit) // -2
    return digits
""",
        """
def solve(number):
    if number in (0, 1):
        return str(number)
    digit = number & 1
    return solve(-((number - digit) // 2)) + str(digit)
""",
        """
def solve(number):
    mask = 0xAAAAAA
    return format((number + mask) ^ mask, "b")
""",
    ),
    make_input=_integer,
    edge_cases=((0,), (1,), (-1,), (2,), (-2,), (3,), (6,), (-15,), (1000,), (-1000,)),
)


def _place(generator: random.Random, size: int) -> Arguments:
    return (generator.randint(1, 12 + size * size * size // 2),)


ENDLESS_DIGITS = Problem(
    name="endless_digits",
    topic="numbers",
    question="""\
The numbers 1, 2, 3, ... are written one behind the other without gaps: 123456789101112131415 and
so on. Write `solve(place)`, which returns a list of the digit at a place, counted from 1, and the
number that it belongs to. The place is between 1 and 5000.

Example: solve(5) returns [5, 5]; solve(11) returns [0, 10].""",
    solutions=(
        """
def solve(place):
    number = 1
    while place > len(str(number)):
        place -= len(str(number))
        number += 1
    return [int(str(number)[place - 1]), number]
""",
        """
def solve(place):
    length = 1
    first = 1
    rest = place - 1
    while rest >= 9 * first * length:
        rest -= 9 * first * length
        length += 1
        first *= 10
    number = first + rest // length
    digit = number // 10 ** (length - 1 - rest % length) % 10
    return [digit, number]
""",
    ),
    make_input=_place,
    edge_cases=((1,), (9,), (10,), (11,), (12,), (189,), (190,), (192,), (2889,), (2890,), (5000,)),
)


def _target(generator: random.Random, size: int) -> Arguments:
    if generator.random() < 0.6:
        bound = 1 + size
        return (generator.randint(0, bound) ** 2 + generator.randint(0, bound) ** 2,)
    return (generator.randint(0, 5 + size * size),)


SUM_OF_TWO_SQUARES = Problem(
    name="sum_of_two_squares",
    topic="numbers",
    question="""\
Write `solve(number)`, which returns all ways to write a number as a sum of two squares: the list of
all [a, b] with a * a + b * b equal to the number and 0 <= a <= b, ordered by a. The number is
between 0 and 2000.

Example: solve(25) returns [[0, 5], [3, 4]]; solve(3) returns [].""",
    solutions=(
        """
def solve(number):
    ways = []
    small = 0
    while 2 * small * small <= number:
        rest = number - small * small
        large = small
        while large * large < rest:
            large += 1
        if large * large == rest:
            ways.append([small, large])
        small += 1
    return ways
""",
        """
from math import isqrt

def solve(number):
    pairs = [[small, isqrt(number - small * small)] for small in range(isqrt(number // 2) + 1)]
    return [pair for pair in pairs if pair[0] ** 2 + pair[1] ** 2 == number]
""",
        """
def solve(number):
    ways = []
    small, large = 0, int(number ** 0.5) + 1
    while small <= large:
        total = small * small + large * large
        if total == number:
            ways.append([small, large])
        if total < number:
            small += 1
        else:
            large -= 1
    return ways
""",
    ),
    make_input=_target,
    edge_cases=((0,), (1,), (2,), (3,), (4,), (8,), (25,), (50,), (65,), (1105,), (2000,)),
)


PROBLEMS = (
    HAILSTONE_PEAK,
    EGYPTIAN_FRACTION,
    BASE_MINUS_TWO,
    ENDLESS_DIGITS,
    SUM_OF_TWO_SQUARES,
)
