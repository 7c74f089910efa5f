"""Problems about parsing: texts with parts inside of parts."""

import random

from nip.scenarios.code_validation.problems.inputs import random_word
from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _brackets(generator: random.Random, size: int) -> Arguments:
    text, opened = "", ""
    for _ in range(generator.randint(0, size)):
        kind = generator.random()
        if kind < 0.4:
            bracket = generator.choice("([{")
            text, opened = text + bracket, opened + bracket
        elif kind < 0.85 and opened:
            text, opened = text + ")]}"["([{".index(opened[-1])], opened[:-1]
        elif kind < 0.97:
            text += generator.choice("xy")
        else:
            text += generator.choice(")]}")
    if generator.random() < 0.6:
        text += "".join(")]}"["([{".index(bracket)] for bracket in reversed(opened))
    return (text,)


BRACKET_MISTAKE = Problem(
    name="bracket_mistake",
    topic="parsing",
    question="""\
In a text every opening bracket "(", "[" or "{" needs a closing one of its kind, ")", "]" or "}",
and a closing bracket always closes the last one that is still open. Write `solve(text)`, which
returns the position of the first closing bracket that closes nothing or is of another kind than the
last open one. If there is none, return -1 if all brackets are closed in the end, else the length of
the text. Other characters mean nothing. The text has at most 200 characters and may be empty.

Example: solve("a(b[c])") returns -1; solve("(]") returns 1; solve("{()") returns 3.""",
    solutions=(
        """
def solve(text):
    closing = {"(": ")", "[": "]", "{": "}"}
    expected = []
    for position, character in enumerate(text):
        if character in closing:
            expected.append(closing[character])
        elif character in (")", "]", "}"):
            if not expected or expected.pop() != character:
                return position
    return len(text) if expected else -1
""",
        """
import re

def solve(text):
    for end in range(1, len(text) + 1):
        rest = re.sub(r"[^][(){}]", "", text[:end])
        length = None
        while length != len(rest):
            length = len(rest)
            for pair in ("()", "[]", "{}"):
                rest = rest.replace(pair, "")
        if rest and rest[-1] in ")]}":
            return end - 1
        if end == len(text) and rest:
            return end
    return -1
""",
        """
def solve(text):
    pairs = ["()", "[]", "{}"]

    def check(position, opening):
        while position < len(text):
            character = text[position]
            if character in "([{":
                position, mistake = check(position + 1, character)
                if mistake:
                    return position, True
            elif character in ")]}":
                return position, opening + character not in pairs
            position += 1
        return position, opening != ""

    position, mistake = check(0, "")
    return position if mistake else -1
""",
    ),
    make_input=_brackets,
    edge_cases=(
        ("",),
        ("xyz",),
        (")",),
        ("(",),
        ("(]",),
        ("{()",),
        ("a(b[c])",),
        ("([)]",),
        ("()()}",),
        ("((x)",),
    ),
)


def _pattern(generator: random.Random, depth: int, longest: int) -> str:
    text = ""
    for _ in range(generator.randint(0 if depth else 1, longest)):
        if generator.random() < 0.4:
            text += str(generator.choice((0, 1, 2, 2, 3, 3, 9, 12)))
        if depth and generator.random() < 0.5:
            text += "(" + _pattern(generator, depth - 1, 2) + ")"
        else:
            text += generator.choice("abc")
    return text


def _knitting(generator: random.Random, size: int) -> Arguments:
    return (_pattern(generator, min(size // 6, 2), 1 + size // 6),)


KNITTING_PATTERN = Problem(
    name="knitting_pattern",
    topic="parsing",
    question="""\
A knitting pattern is a text of stitches, which are lowercase letters, and of groups, which are
patterns in parentheses. A number right before a stitch or a group says how often it is made, once
if there is no number. Write `solve(pattern)`, which returns all stitches in the order in which they
are made. Numbers are between 0 and 12, without superfluous zeros; groups can be nested and can be
empty, as can be the pattern. The pattern is always valid and has at most 60 characters.

Example: solve("2(ab)c3d") returns "ababcddd"; solve("2(a2(b))") returns "abbabb".""",
    solutions=(
        """
def solve(pattern):
    stack = []
    current = ""
    number = ""
    for character in pattern:
        if character.isdigit():
            number += character
        elif character == "(":
            stack.append((current, number))
            current = ""
            number = ""
        elif character == ")":
            before, times = stack.pop()
            current = before + current * int(times or 1)
        else:
            current += character * int(number or 1)
            number = ""
    return current
""",
        """
import re

def solve(pattern):
    def repeat(match):
        times = int(match.group(1)) if match.group(1) else 1
        return match.group(2) * times

    pattern = re.sub(r"([0-9]+)([a-z])", repeat, pattern)
    while "(" in pattern:
        pattern = re.sub(r"([0-9]*)[(]([a-z]*)[)]", repeat, pattern)
    return pattern
""",
        """
def solve(pattern):
    def read(position):
        stitches = []
        while position < len(pattern) and pattern[position] != ")":
            start = position
            while pattern[position] in "0123456789":
                position += 1
            times = 1 if position == start else int(pattern[start:position])
            if pattern[position] == "(":
                part, position = read(position + 1)
            else:
                part = pattern[position]
            stitches.append(part * times)
            position += 1
        return "".join(stitches), position

    return read(0)[0]
""",
    ),
    make_input=_knitting,
    edge_cases=(
        ("",),
        ("a",),
        ("()",),
        ("3()a",),
        ("0(ab)c",),
        ("12a",),
        ("9a8b7c6d5e4f",),
        ("10(b)",),
        ("2(ab)c3d",),
        ("2(a2(b))",),
        ("(a)(2(b))",),
    ),
)


def _template(generator: random.Random, size: int) -> Arguments:
    names = ["ann", "bob", "cy"]
    pieces = ["{{", "}}", "x", " y ", *("{" + name + "}" for name in names)]
    text = "".join(generator.choice(pieces) for _ in range(generator.randint(0, 1 + size // 2)))
    values = {}
    for name in names:
        if generator.random() < 0.6:
            values[name] = random_word(generator, "{}pq", 0, 3)
    return text, values


FILLED_TEMPLATE = Problem(
    name="filled_template",
    topic="parsing",
    question="""\
Write `solve(template, values)`, which fills in a template, read from left to right: "{{" stands for
"{" and "}}" for "}", a name in braces like "{city}" for the value that the dictionary `values` has
for it, or for "?" if it has none, and every other character for itself. Values are strings, go into
the result as they are, even if they contain braces, and may be empty. Names consist of lowercase
letters. After "{" there is always either another "{" or a name and "}"; other closing braces come
in twos. The template has at most 200 characters.

Example: solve("{a} is {{{b}}}", {"a": "x{{"}) returns "x{{ is {?}".""",
    solutions=(
        """
def solve(template, values):
    result = ""
    place = 0
    while place < len(template):
        pair = template[place:place + 2]
        if pair in ("{{", "}}"):
            result += pair[0]
            place += 2
        elif pair[0] == "{":
            end = template.index("}", place)
            result += values.get(template[place + 1:end], "?")
            place = end + 1
        else:
            result += pair[0]
            place += 1
    return result
""",
        r"""
import re

def solve(template, values):
    def fill(match):
        found = match.group()
        if found == "{{" or found == "}}":
            return found[0]
        name = found[1:-1]
        return values[name] if name in values else "?"

    return re.sub(r"\{\{|\}\}|\{[a-z]+\}", fill, template)
""",
        """
def solve(template, values):
    parts = []
    name = None
    skip = False
    for place, character in enumerate(template):
        if skip:
            skip = False
        elif name is not None:
            if character == "}":
                parts.append(values.get(name, "?"))
                name = None
            else:
                name += character
        elif character in "{}":
            if template[place + 1] == character:
                parts.append(character)
                skip = True
            else:
                name = ""
        else:
            parts.append(character)
    return "".join(parts)
""",
    ),
    make_input=_template,
    edge_cases=(
        ("", {}),
        ("plain", {"plain": "x"}),
        ("{a}", {"a": ""}),
        ("{a}{b}", {"b": "z"}),
        ("{{a}}", {"a": "z"}),
        ("{{{a}}}", {"a": "z"}),
        ("{a} is {{{b}}}", {"a": "x{{"}),
        ("}}{{", {}),
    ),
)

PROBLEMS = (BRACKET_MISTAKE, KNITTING_PATTERN, FILLED_TEMPLATE)
