"""Problems about parsing: carrying out what words say."""

import random

from nip.scenarios.code_validation.problems.problem import Arguments, Problem

_OPERATIONS = {"add": 2, "sub": 2, "max": 2, "min": 2, "neg": 1}


def _prefix(generator: random.Random, depth: int) -> list[str]:
    if depth == 0 or generator.random() < 0.2:
        return [str(generator.randint(-9, 20))]
    operation = generator.choice(tuple(_OPERATIONS))
    tokens = [operation]
    for _ in range(_OPERATIONS[operation]):
        tokens += _prefix(generator, depth - 1)
    return tokens


def _command(generator: random.Random, size: int) -> Arguments:
    return (" ".join(_prefix(generator, min(1 + size // 5, 4))),)


PREFIX_COMMAND = Problem(
    name="prefix_command",
    topic="parsing",
    question="""\
A command consists of words separated by single spaces. It is an integer like "12" or "-3", which is
its own value; or "neg" followed by one command, whose value it negates; or "add", "sub", "max" or
"min" followed by two commands, which gives their sum, the first minus the second, the greater or
the smaller value. Write `solve(text)`, which returns the value of a command; the text is always one
valid command of at most 60 words.

Example: solve("sub 3 max 1 neg -4") returns -1.""",
    solutions=(
        """
def solve(text):
    words = iter(text.split())

    def value():
        word = next(words)
        if word == "neg":
            return -value()
        if word not in ("add", "sub", "max", "min"):
            return int(word)
        left = value()
        right = value()
        if word == "add":
            return left + right
        if word == "sub":
            return left - right
        return max(left, right) if word == "max" else min(left, right)

    return value()
""",
        """
def solve(text):
    operations = {
        "add": lambda left, right: left + right,
        "sub": lambda left, right: left - right,
        "max": max,
        "min": min,
    }
    stack = []
    for word in reversed(text.split(" ")):
        if word == "neg":
            stack.append(-stack.pop())
        elif word in operations:
            left = stack.pop()
            right = stack.pop()
            stack.append(operations[word](left, right))
        else:
            stack.append(int(word))
    return stack[0]
""",
        """
def solve(text):
    pending = []
    for word in text.split():
        if word in ("add", "sub", "max", "min", "neg"):
            pending.append([word])
            continue
        value = int(word)
        while pending:
            pending[-1].append(value)
            name, *operands = pending[-1]
            if name == "neg":
                value = -operands[0]
            elif len(operands) < 2:
                break
            elif name == "add":
                value = sum(operands)
            elif name == "sub":
                value = operands[0] - operands[1]
            elif name == "max":
                value = max(operands)
            else:
                value = min(operands)
            pending.pop()
    return value
""",
    ),
    make_input=_command,
    edge_cases=(
        ("7",),
        ("-3",),
        ("neg 0",),
        ("neg neg 5",),
        ("sub 2 9",),
        ("sub 3 max 1 neg -4",),
        ("max sub 1 2 min 4 -1",),
        ("add add 1 2 add 3 neg 4",),
    ),
)


def _condition_words(generator: random.Random, depth: int) -> list[str]:
    words = []
    for index in range(generator.choice((1, 2, 2, 3))):
        if index:
            words.append(generator.choice(("and", "or")))
        if generator.random() < 0.3:
            words.append("not")
        if depth and generator.random() < 0.5:
            words += ["(", *_condition_words(generator, depth - 1), ")"]
        else:
            words.append(generator.choice("abc"))
    return words


def _condition(generator: random.Random, size: int) -> Arguments:
    words = _condition_words(generator, min(size // 6, 2))
    return " ".join(words), [name for name in "abc" if generator.random() < 0.5]


CONDITION = Problem(
    name="alarm_condition",
    topic="parsing",
    question="""\
An alarm rings under a condition about switches, which are named by single lowercase letters. The
condition is a text of switches, the words "and", "or" and "not", and parentheses, all separated by
single spaces. A switch is true if it is on. "not" negates the switch, the parenthesis or the "not"
that follows it; "and" binds more strongly than "or". Write `solve(condition, switches_on)`, where
`switches_on` is the list of the switches that are on, which returns True if the alarm rings, else
False. The condition is always valid and has at most 60 words.

Example: solve("a or b and c", ["a"]) returns True; solve("not ( a or b )", ["b"]) returns
False.""",
    solutions=(
        """
def solve(condition, switches_on):
    words = condition.split()
    words.append("")
    place = 0

    def alternatives():
        nonlocal place
        result = requirements()
        while words[place] == "or":
            place += 1
            result = requirements() or result
        return result

    def requirements():
        nonlocal place
        result = single()
        while words[place] == "and":
            place += 1
            result = single() and result
        return result

    def single():
        nonlocal place
        word = words[place]
        place += 1
        if word == "not":
            return not single()
        if word == "(":
            result = alternatives()
            place += 1
            return result
        return word in switches_on

    return alternatives()
""",
        """
import re

def solve(condition, switches_on):
    def flat(text):
        for option in text.split(" or "):
            holds = True
            for part in option.split(" and "):
                words = part.split()
                is_on = words[-1] == "+" or words[-1] in switches_on
                if words.count("not") % 2 == 1:
                    is_on = not is_on
                if not is_on:
                    holds = False
            if holds:
                return True
        return False

    while "(" in condition:
        inner = re.search(r"[(] ([^()]*) [)]", condition)
        value = "+" if flat(inner.group(1)) else "-"
        condition = condition[:inner.start()] + value + condition[inner.end():]
    return flat(condition)
""",
        """
def solve(condition, switches_on):
    strength = {"not": 3, "and": 2, "or": 1, "(": 0}
    values = []
    operators = []

    def apply():
        operator = operators.pop()
        last = values.pop()
        if operator == "not":
            values.append(not last)
        elif operator == "and":
            values.append(values.pop() and last)
        else:
            values.append(values.pop() or last)

    for word in condition.split(" "):
        if word in ("(", "not"):
            operators.append(word)
        elif word == ")":
            while operators[-1] != "(":
                apply()
            operators.pop()
        elif word in strength:
            while operators and strength[operators[-1]] >= strength[word]:
                apply()
            operators.append(word)
        else:
            values.append(word in switches_on)
    while operators:
        apply()
    return values[-1]
""",
    ),
    make_input=_condition,
    edge_cases=(
        ("a", []),
        ("a", ["a"]),
        ("not not a", ["a"]),
        ("a or b and c", ["a"]),
        ("( a or b ) and c", ["a"]),
        ("not ( a or b )", ["b"]),
        ("not a or b", ["b"]),
        ("not a and b or c", ["a", "c"]),
    ),
)

PROBLEMS = (PREFIX_COMMAND, CONDITION)
