"""Problems about numbers: how they are written."""

import random

from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _up_to(generator: random.Random, size: int) -> int:
    """Draw an integer of at least 1 whose number of digits grows with the size."""
    return generator.randint(1, 10 ** (1 + size // 5))


def _number_and_base(generator: random.Random, size: int) -> Arguments:
    base = generator.randint(2, 16)
    number = generator.choice((_up_to(generator, size), base ** generator.randint(0, 4)))
    return (number * generator.choice((-1, 0, 1, 1)), base)


TO_BASE = Problem(
    name="to_base",
    topic="numbers",
    question="""\
Write `solve(number, base)`, which writes an integer in another base, as a string. The digits from
10 on are the lowercase letters from "a" on, there are no leading zeros, 0 is "0", and a negative
number begins with "-". The number is between -10**9 and 10**9, the base between 2 and 16.

Example: solve(-255, 16) returns "-ff"; solve(6, 2) returns "110".""",
    solutions=(
        """
def solve(number, base):
    if number == 0:
        return "0"
    digits = "0123456789abcdef"
    rest = abs(number)
    result = ""
    while rest > 0:
        result = digits[rest % base] + result
        rest //= base
    if number < 0:
        result = "-" + result
    return result
""",
        """
def solve(number, base):
    if number < 0:
        return "-" + solve(-number, base)
    quotient, digit = divmod(number, base)
    letter = str(digit) if digit < 10 else chr(ord("a") + digit - 10)
    if quotient == 0:
        return letter
    return solve(quotient, base) + letter
""",
        """
def solve(number, base):
    rest = -number if number < 0 else number
    power = 1
    while power * base <= rest:
        power *= base
    parts = ["-"] if number < 0 else []
    while power >= 1:
        parts.append("0123456789abcdef"[rest // power])
        rest %= power
        power //= base
    return "".join(parts)
""",
    ),
    make_input=_number_and_base,
    edge_cases=((0, 2), (1, 2), (-1, 16), (15, 16), (16, 16), (10, 10), (-8, 2), (9, 11)),
)


def _start_and_base(generator: random.Random, size: int) -> Arguments:
    return (generator.randint(1, 20 + size * 20), generator.choice((2, 3, 6, 8, 10, 10, 10)))


HAPPY_STEPS = Problem(
    name="happy_steps",
    topic="numbers",
    question="""\
In each step a number is replaced by the sum of the squares of its digits in a given base. Write
`solve(number, base)`, which returns after how many steps 1 is reached for the first time (0 if the
number is 1), or -1 if that never happens because the numbers repeat. The number is between 1 and
100,000, the base between 2 and 10.

Example: solve(19, 10) returns 4: 19, 82, 68, 100, 1. solve(4, 10) returns -1.""",
    solutions=(
        """
def solve(number, base):
    seen = set()
    steps = 0
    while number != 1:
        if number in seen:
            return -1
        seen.add(number)
        total = 0
        while number:
            total += (number % base) ** 2
            number //= base
        number = total
        steps += 1
    return steps
""",
        """
def solve(number, base):
    def following(value):
        total = 0
        while value > 0:
            value, digit = divmod(value, base)
            total += digit * digit
        return total

    visited = [number]
    while visited[-1] != 1:
        successor = following(visited[-1])
        if successor in visited:
            return -1
        visited.append(successor)
    return len(visited) - 1
""",
    ),
    make_input=_start_and_base,
    edge_cases=((1, 10), (2, 10), (7, 10), (10, 10), (2, 2), (3, 2), (19, 10), (4, 10), (8, 3)),
)


def _window_of_bits(generator: random.Random, size: int) -> Arguments:
    return (generator.choice((0, 1, 2**size - 1, generator.randrange(2 ** (size + 1)))),)


LONGEST_ONES = Problem(
    name="longest_ones_after_flip",
    topic="numbers",
    question="""\
A non-negative integer is written in binary without leading zeros (0 is written "0"). Write
`solve(number)`, which returns the length of the longest run of ones that can be had by changing at
most one of the written zeros into a one. The number is less than 2**40.

Example: solve(1775) returns 8, since 1775 is 11011101111 in binary; solve(7) returns 3, since there
is no zero to change.""",
    solutions=(
        """
def solve(number):
    runs = [len(run) for run in bin(number)[2:].split("0")]
    if len(runs) == 1:
        return runs[0]
    return max(left + 1 + right for left, right in zip(runs, runs[1:]))
""",
        """
def solve(number):
    if number == 0:
        return 1
    best = 0
    current = 0
    previous = -1
    while number > 0:
        if number % 2 == 1:
            current += 1
        else:
            previous = current
            current = 0
        best = max(best, current + previous + 1)
        number //= 2
    return best
""",
        """
def solve(number):
    bits = format(number, "b")
    best = 0
    for start in range(len(bits)):
        zeros = 0
        for end in range(start, len(bits)):
            zeros += bits[end] == "0"
            if zeros > 1:
                break
            best = max(best, end - start + 1)
    return best
""",
    ),
    make_input=_window_of_bits,
    edge_cases=((0,), (1,), (2,), (5,), (7,), (8,), (9,), (1775,), (2**39 + 1,)),
)


def _digits(generator: random.Random, size: int) -> Arguments:
    digits = "".join(generator.choice("0123456789") for _ in range(generator.randint(0, size)))
    position = generator.randint(0, len(digits))
    return (digits[:position] + generator.choice((" ", "", "", "-")) + digits[position:],)


CHECK_DIGIT = Problem(
    name="check_digit",
    topic="numbers",
    question="""\
Write `solve(code)`, which computes the check digit of a code. Spaces and hyphens in the code are
ignored; the rest are digits. Going from the last digit to the first, every other digit is doubled,
beginning with the last one; a doubled digit above 9 counts as the sum of its two digits. The check
digit is what must be added to the sum of all these to get a multiple of 10: an integer from 0 to 9.
A code without digits has the check digit 0. The code has at most 100 characters.

Example: solve("7992739871") returns 3.""",
    solutions=(
        """
def solve(code):
    digits = [int(character) for character in code if character.isdigit()]
    total = 0
    for place, digit in enumerate(reversed(digits)):
        if place % 2 == 0:
            digit *= 2
            if digit > 9:
                digit -= 9
        total += digit
    return -total % 10
""",
        """
def solve(code):
    digits = code.replace(" ", "").replace("-", "")
    doubled = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9]
    total = 0
    position = len(digits) - 1
    double = True
    while position >= 0:
        value = int(digits[position])
        total += doubled[value] if double else value
        double = not double
        position -= 1
    return (10 - total % 10) % 10
""",
    ),
    make_input=_digits,
    edge_cases=(("",), ("0",), ("5",), ("9",), ("-",), ("1 2",), ("7992739871",), ("55",)),
)


def _roman(generator: random.Random, size: int) -> Arguments:
    bounds = (10, 50, 100, 500, 1000, 3999)
    return (generator.randint(1, bounds[min(5, size // 3)]),)


ROMAN_NUMERAL = Problem(
    name="roman_numeral",
    topic="numbers",
    question="""\
Write `solve(number)`, which writes an integer from 1 to 3999 as a Roman numeral, in the standard
form: I is 1, V 5, X 10, L 50, C 100, D 500 and M 1000; 4 is IV, 9 is IX, 40 is XL, 90 is XC, 400 is
CD and 900 is CM.

Example: solve(1994) returns "MCMXCIV".""",
    solutions=(
        """
def solve(number):
    signs = [
        (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"),
        (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
    ]
    numeral = ""
    for value, sign in signs:
        while number >= value:
            numeral += sign
            number -= value
    return numeral
""",
        """
def solve(number):
    numeral = ""
    for one, five, ten in ("IVX", "XLC", "CDM", "M__"):
        digit = number % 10
        number //= 10
        if digit == 9:
            part = one + ten
        elif digit >= 5:
            part = five + one * (digit - 5)
        elif digit == 4:
            part = one + five
        else:
            part = one * digit
        numeral = part + numeral
    return numeral
""",
    ),
    make_input=_roman,
    edge_cases=((1,), (3,), (4,), (5,), (8,), (9,), (40,), (90,), (400,), (900,), (3999,)),
)


def _palindrome_number(generator: random.Random, size: int) -> Arguments:
    digits = 1 + size // 4
    nines = 10**digits - 1
    return (generator.choice((nines, nines + 1, nines // 10 * 10, generator.randint(0, nines))),)


NEXT_PALINDROME = Problem(
    name="next_palindromic_number",
    topic="numbers",
    question="""\
Write `solve(number)`, which returns the smallest integer greater than `number` whose decimal digits
read the same in both directions. The number is between 0 and 10**7.

Example: solve(99) returns 101; solve(1221) returns 1331; solve(8) returns 9.""",
    solutions=(
        """
def solve(number):
    digits = str(number + 1)
    size = len(digits)
    half = digits[:(size + 1) // 2]
    candidate = int(half + half[:size // 2][::-1])
    if candidate > number:
        return candidate
    half = str(int(half) + 1)
    return int(half + half[:size // 2][::-1])
""",
        """
def solve(number):
    digits = [int(digit) for digit in str(number)]
    if all(digit == 9 for digit in digits):
        return 10 ** len(digits) + 1
    size = len(digits)
    mirrored = digits[:]
    for place in range(size // 2):
        mirrored[size - 1 - place] = mirrored[place]
    if mirrored <= digits:
        place = (size - 1) // 2
        while mirrored[place] == 9:
            mirrored[place] = mirrored[size - 1 - place] = 0
            place -= 1
        mirrored[place] += 1
        mirrored[size - 1 - place] = mirrored[place]
    return int("".join(str(digit) for digit in mirrored))
""",
    ),
    make_input=_palindrome_number,
    edge_cases=((0,), (8,), (9,), (10,), (11,), (99,), (191,), (1221,), (1991,), (999,), (1000,)),
)

PROBLEMS = (TO_BASE, HAPPY_STEPS, LONGEST_ONES, CHECK_DIGIT, ROMAN_NUMERAL, NEXT_PALINDROME)
