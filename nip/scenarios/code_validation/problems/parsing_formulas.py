"""Problems about parsing: formulas and boards."""

import random

from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _molecule(generator: random.Random, size: int, depth: int = 0) -> str:
    parts = []
    for _ in range(generator.randint(1, 2 + size // 8)):
        if depth < 2 and generator.random() < 0.25:
            part = f"({_molecule(generator, size // 2, depth + 1)})"
        else:
            part = generator.choice(["H", "O", "C", "Ca", "Cl", "N", "Na"])
        if generator.random() < 0.4:
            part += str(generator.choice([2, 3, 4, 10, 12]))
        parts.append(part)
    return "".join(parts)


def _formula(generator: random.Random, size: int) -> Arguments:
    return (_molecule(generator, size),)


ATOMS_OF_MOLECULE = Problem(
    name="atoms_of_molecule",
    topic="parsing",
    question="""\
The formula of a molecule consists of elements and groups in parentheses, which may contain groups
themselves. An element is a capital letter, followed by at most one lowercase letter. A number of
one or two digits behind an element or group says how often it occurs; without a number, it occurs
once. Write `solve(formula)`, which returns a dictionary with the number of atoms of each element.
The formula is correct and has at most 60 characters; no number begins with 0.

Example: solve("Ca(OH)2") returns {"Ca": 1, "O": 2, "H": 2}; solve("C6H12O6") returns {"C": 6,
"H": 12, "O": 6}.""",
    solutions=(
        """
import re

def solve(formula):
    stack = [{}]
    for opening, name, closing, number in re.findall(
        r"(\\()|(?:([A-Z][a-z]?)|(\\)))([0-9]*)", formula
    ):
        times = int(number or 1)
        if opening:
            stack.append({})
        elif name:
            stack[-1][name] = stack[-1].get(name, 0) + times
        else:
            group = stack.pop()
            for element, count in group.items():
                stack[-1][element] = stack[-1].get(element, 0) + count * times
    return stack[0]
""",
        """
def solve(formula):
    counts = {}
    factors = [1]
    factor = 1
    digits = ""
    small = ""
    for character in reversed(formula):
        if character.isdigit():
            digits = character + digits
        elif character.islower():
            small = character
        elif character == ")":
            factors.append(factors[-1] * int(digits or "1"))
            digits = ""
        elif character == "(":
            factors.pop()
        else:
            factor = factors[-1] * int(digits or "1")
            counts[character + small] = counts.get(character + small, 0) + factor
            digits, small = "", ""
    return counts
""",
        """
def solve(formula):
    def number_at(place):
        end = place
        while end < len(formula) and formula[end].isdigit():
            end += 1
        return (int(formula[place:end]) if end > place else 1), end

    def group_at(place):
        counts = {}
        while place < len(formula) and formula[place] != ")":
            if formula[place] == "(":
                part, end = group_at(place + 1)
                end += 1
            else:
                end = place + 1
                if end < len(formula) and formula[end].islower():
                    end += 1
                part = {formula[place:end]: 1}
            times, place = number_at(end)
            for name, count in part.items():
                counts[name] = counts.get(name, 0) + count * times
        return counts, place

    return group_at(0)[0]
""",
    ),
    make_input=_formula,
    edge_cases=(
        ("H",),
        ("H2",),
        ("Ca",),
        ("H2O",),
        ("C6H12O6",),
        ("Ca(OH)2",),
        ("(H)",),
        ("((H2)3)4",),
        ("CCa",),
        ("HOH",),
    ),
)


def _board(generator: random.Random, _size: int) -> Arguments:
    row = ""
    left = generator.randint(0, 10) if generator.random() < 0.2 else 8
    while left > 0:
        if generator.random() < 0.4:
            gap = generator.randint(1, left)
            row += str(gap)
            left -= gap
        else:
            row += generator.choice("kqrbnpKQRBNP")
            left -= 1
    if generator.random() < 0.1:
        row += generator.choice("x09")
    return (row,)


CHESS_ROW = Problem(
    name="chess_row",
    topic="parsing",
    question="""\
A row of a chess board is written with a letter for each piece, k, q, r, b, n or p for black and K,
Q, R, B, N or P for white, and a digit from 1 to 8 for so many empty squares. Two digits must not
stand next to each other. Write `solve(row)`, which returns the row with a "." for each empty
square, or the empty text if it is not written correctly or does not have exactly 8 squares. The row
has at most 20 characters and may be empty.

Example: solve("r2k3R") returns "r..k...R"; solve("9") and solve("44") return "".""",
    solutions=(
        """
def solve(row):
    squares = ""
    before_is_digit = False
    for character in row:
        if character in "12345678":
            if before_is_digit:
                return ""
            squares += "." * int(character)
            before_is_digit = True
        elif character.lower() in "kqrbnp":
            squares += character
            before_is_digit = False
        else:
            return ""
    return squares if len(squares) == 8 else ""
""",
        """
import re

def solve(row):
    if not re.fullmatch(r"[1-8]?(?:[kqrbnpKQRBNP][1-8]?)*", row):
        return ""
    squares = re.sub(r"[1-8]", lambda found: "." * int(found[0]), row)
    if len(squares) != 8:
        return ""
    return squares
""",
    ),
    make_input=_board,
    edge_cases=(
        ("",),
        ("8",),
        ("9",),
        ("44",),
        ("7",),
        ("r2k3R",),
        ("pppppppp",),
        ("ppppppppp",),
        ("7x",),
        ("1p1p1p1p",),
        ("0pppppppp",),
        ("p7",),
    ),
)


def _polynomial(generator: random.Random, size: int) -> Arguments:
    terms = []
    for _ in range(generator.randint(1, 2 + size // 5)):
        degree = generator.randint(0, 4)
        variable = "" if degree == 0 else "x" if degree == 1 else f"x^{degree}"
        factor = generator.choice([1, 1, 2, 3, 10])
        number = "" if factor == 1 and variable else str(factor)
        terms.append(generator.choice("+-") + number + variable)
    text = "".join(terms)
    return (text.removeprefix("+"),)


COEFFICIENTS = Problem(
    name="coefficients",
    topic="parsing",
    question="""\
A polynomial is a sum of terms such as "3x^2-x+5": a term is a number, "x", or "x^" with an exponent
from 2 to 9, possibly with a number in front of the x, and terms are separated by "+" or "-". A "-"
may stand before the first term. Several terms may have the same exponent. Write `solve(text)`,
which returns the list of the coefficients, beginning with that of the highest power of x that does
not vanish and ending with the constant one; if all vanish, it is [0]. The text has at most 60
characters.

Example: solve("3x^2-x+5") returns [3, -1, 5]; solve("x-x") returns [0].""",
    solutions=(
        """
def solve(text):
    coefficients = [0] * 10
    for term in text.replace("-", "+-").split("+"):
        if not term:
            continue
        number, variable, power = term.partition("x")
        if not variable:
            coefficients[0] += int(number)
            continue
        exponent = int(power[1:]) if power else 1
        if number in ("", "-"):
            number += "1"
        coefficients[exponent] += int(number)
    while len(coefficients) > 1 and coefficients[-1] == 0:
        coefficients.pop()
    return coefficients[::-1]
""",
        """
import re

def solve(text):
    sums = {0: 0}
    for sign, number, variable, power in re.findall(r"([+-]?)([0-9]*)(x?)(?:\\^([0-9]))?", text):
        if number or variable:
            exponent = int(power or 1) if variable else 0
            value = int(number or 1) * (-1 if sign == "-" else 1)
            sums[exponent] = sums.get(exponent, 0) + value
    degree = max((exponent for exponent in sums if sums[exponent] != 0), default=0)
    return [sums.get(exponent, 0) for exponent in range(degree, -1, -1)]
""",
    ),
    make_input=_polynomial,
    edge_cases=(
        ("0",),
        ("7",),
        ("-7",),
        ("x",),
        ("-x",),
        ("x-x",),
        ("3x^2-x+5",),
        ("x^9",),
        ("2x+3x",),
        ("-x^3+10",),
        ("1-1",),
    ),
)


PROBLEMS = (ATOMS_OF_MOLECULE, CHESS_ROW, COEFFICIENTS)
