"""Problems about parsing: finding out what expressions are worth."""

import random

from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _spaced(generator: random.Random, tokens: list[str]) -> str:
    if generator.random() < 0.5:
        return "".join(tokens)
    return "".join(token + generator.choice(("", " ")) for token in tokens)


def _sum(generator: random.Random, depth: int) -> list[str]:
    tokens = ["-"] if generator.random() < 0.2 else []
    for index in range(generator.choice((1, 2, 3))):
        if index:
            tokens.append(generator.choice("+-*"))
        if depth and generator.random() < 0.5:
            tokens += ["(", *_sum(generator, depth - 1), ")"]
        else:
            tokens.append(str(generator.choice((0, 1, 2, 3, 5, 10, generator.randint(0, 99)))))
    return tokens


def _calculation(generator: random.Random, size: int) -> Arguments:
    return (_spaced(generator, _sum(generator, min(size // 5, 3))),)


CALCULATION = Problem(
    name="calculation",
    topic="parsing",
    question="""\
Write `solve(text)`, which returns the value of a calculation. It consists of whole numbers without
signs, the operators +, - and *, and parentheses; spaces may stand anywhere except within numbers
and mean nothing. Products are computed before sums and differences, and these from left to right. A
minus may also stand at the very beginning or right after an opening parenthesis, and then negates
the product that follows it. The text is always a valid calculation of at most 200 characters.

Example: solve("2*(3 - 5) + 1") returns -3; solve("-2*3-(-4)") returns -2.""",
    solutions=(
        """
def solve(text):
    text = text.replace(" ", "") + ";"
    position = 0

    def expression():
        nonlocal position
        total = 0
        if text[position] != "-":
            total = product()
        while text[position] in "+-":
            sign = 1 if text[position] == "+" else -1
            position += 1
            total += sign * product()
        return total

    def product():
        nonlocal position
        value = factor()
        while text[position] == "*":
            position += 1
            value *= factor()
        return value

    def factor():
        nonlocal position
        start = position
        position += 1
        if text[start] == "(":
            value = expression()
            position += 1
            return value
        while text[position].isdigit():
            position += 1
        return int(text[start:position])

    return expression()
""",
        """
import re

def solve(text):
    priority = {"(": 0, "+": 1, "-": 1, "*": 2}
    values = []
    operators = []

    def apply():
        operator = operators.pop()
        right = values.pop()
        left = values.pop()
        if operator == "+":
            values.append(left + right)
        elif operator == "-":
            values.append(left - right)
        else:
            values.append(left * right)

    previous = "("
    for token in re.findall(r"[0-9]+|[-+*()]", text):
        if token.isdigit():
            values.append(int(token))
        elif token == "(":
            operators.append(token)
        elif token == ")":
            while operators[-1] != "(":
                apply()
            operators.pop()
        else:
            if previous == "(":
                values.append(0)
            while operators and priority[operators[-1]] >= priority[token]:
                apply()
            operators.append(token)
        previous = token
    while operators:
        apply()
    return values[0]
""",
        """
import re

def solve(text):
    def flat(part):
        total = 0
        for sign, product in re.findall(r"([+-]?)([^+-]+)", part):
            value = -1 if sign == "-" else 1
            for factor in product.split("*"):
                if factor[0] == "~":
                    value *= -int(factor[1:])
                else:
                    value *= int(factor)
            total += value
        return total

    text = text.replace(" ", "")
    while True:
        match = re.search(r"[(]([^()]*)[)]", text)
        if match is None:
            return flat(text)
        value = str(flat(match.group(1))).replace("-", "~")
        text = text[:match.start()] + value + text[match.end():]
""",
    ),
    make_input=_calculation,
    edge_cases=(
        ("0",),
        ("-7",),
        ("(5)",),
        ("10 - 3 - 2",),
        ("2+3*4",),
        ("(2+3)*4",),
        ("2*(3 - 5) + 1",),
        ("-2*3-(-4)",),
        ("2-(3-(4-(5-6)))",),
    ),
)


def _nested(generator: random.Random, depth: int, longest: int) -> str:
    parts = []
    for _ in range(generator.randint(0, longest)):
        if depth and generator.random() < 0.4:
            parts.append(_nested(generator, depth - 1, 3))
        else:
            parts.append(str(generator.choice((0, 1, -1, generator.randint(-99, 99)))))
    return "[" + generator.choice((",", ", ")).join(parts) + "]"


def _nested_list(generator: random.Random, size: int) -> Arguments:
    return (_nested(generator, min(size // 4, 4), 1 + size // 5),)


WEIGHTED_DEPTH = Problem(
    name="weighted_depth",
    topic="parsing",
    question="""\
Write `solve(text)`, where the text is a list in square brackets of integers, possibly negative, and
of such lists, separated by commas, after which there may be a space. It returns a list of two
integers: the sum of all integers, each multiplied by the number of brackets that it is in, and the
largest number of brackets that are ever open at the same time. The text is always valid, lists can
be empty, and it has at most 200 characters.

Example: solve("[1,[2, -3],[[]]]") returns [-1, 3].""",
    solutions=(
        """
def solve(text):
    total = 0
    deepest = 0
    depth = 0
    number = ""
    for character in text:
        if character in "-0123456789":
            number += character
            continue
        if number:
            total += int(number) * depth
            number = ""
        if character == "[":
            depth += 1
            deepest = max(deepest, depth)
        elif character == "]":
            depth -= 1
    return [total, deepest]
""",
        """
import re

def solve(text):
    depth = 0
    total = 0
    depths = []
    for token in re.findall(r"[][]|-?[0-9]+", text):
        if token == "[":
            depth += 1
            depths.append(depth)
        elif token == "]":
            depth -= 1
        else:
            total += depth * int(token)
    return [total, max(depths)]
""",
        """
def solve(text):
    def parse(place):
        items = []
        while text[place] != "]":
            if text[place] == "[":
                inner, place = parse(place + 1)
                items.append(inner)
            elif text[place] in ", ":
                place += 1
            else:
                end = place + 1
                while text[end].isdigit():
                    end += 1
                items.append(int(text[place:end]))
                place = end
        return items, place + 1

    def measure(items, depth):
        total = 0
        deepest = depth
        for item in items:
            if isinstance(item, list):
                inner_total, inner_deepest = measure(item, depth + 1)
                total += inner_total
                deepest = max(deepest, inner_deepest)
            else:
                total += item * depth
        return total, deepest

    return list(measure(parse(1)[0], 1))
""",
    ),
    make_input=_nested_list,
    edge_cases=(
        ("[]",),
        ("[[]]",),
        ("[7]",),
        ("[-7]",),
        ("[[1],[[2]]]",),
        ("[1,[2, -3],[[]]]",),
        ("[10, 20, [30], 40]",),
    ),
)


PROBLEMS = (CALCULATION, WEIGHTED_DEPTH)
