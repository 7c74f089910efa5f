"""Problems about parsing: small formats of everyday programs."""

import random

from nip.scenarios.code_validation.problems.inputs import random_word
from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _query(generator: random.Random, size: int) -> Arguments:
    parts = []
    for _ in range(generator.randint(0, 1 + size // 4)):
        part = random_word(generator, "ab", 0, 2)
        if generator.random() < 0.8:
            part += "=" + random_word(generator, "xy+=", 0, 1 + size // 5)
        parts.append(part)
    return ("&".join(parts),)


WEB_QUERY = Problem(
    name="web_query",
    topic="parsing",
    question="""\
The query of a web address consists of parts that are separated by "&". A part is a name, followed
by "=" and a value; the name ends at the first "=". If there is no "=", the value is empty. In
values, "+" stands for a space. Parts with an empty name are ignored. Write `solve(query)`, which
returns a dictionary that contains for each name the list of its values, in the order of the query.
The query has at most 100 characters and may be empty.

Example: solve("a=1&b=x+y&a=2=3") returns {"a": ["1", "2=3"], "b": ["x y"]}.""",
    solutions=(
        """
def solve(query):
    values = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name:
            values.setdefault(name, []).append(value.replace("+", " "))
    return values
""",
        """
import re

def solve(query):
    found = {}
    for match in re.finditer(r"(?:^|&)([^=&]+)(?:=([^&]*))?", query):
        value = " ".join((match[2] or "").split("+"))
        found[match[1]] = found.get(match[1], []) + [value]
    return found
""",
        """
def solve(query):
    values = {}
    name, value, in_value = "", "", False
    for character in query + "&":
        if character == "&":
            if name:
                if name not in values:
                    values[name] = []
                values[name].append(value)
            name, value, in_value = "", "", False
        elif in_value:
            value += " " if character == "+" else character
        elif character == "=":
            in_value = True
        else:
            name += character
    return values
""",
    ),
    make_input=_query,
    edge_cases=(
        ("",),
        ("a",),
        ("a=",),
        ("=x",),
        ("&&",),
        ("a=1&b=x+y&a=2=3",),
        ("a==",),
        ("a&a=+",),
    ),
)


def _outline(generator: random.Random, size: int) -> Arguments:
    lines = []
    level = 0
    for _ in range(generator.randint(0, 1 + size // 2)):
        level = generator.randint(1, min(level + 1, 4)) if generator.random() < 0.9 else 3
        lines.append("#" * level + " " + random_word(generator, "abc", 1, 3))
    return (lines,)


NUMBERED_HEADINGS = Problem(
    name="numbered_headings",
    topic="parsing",
    question="""\
A heading of a document is a line of one or more "#", a space, and the title; the number of "#" is
its level. Write `solve(lines)`, which puts a number in front of each title, such as "2.1 title": a
heading of level 2 counts the headings of its level since the last one of level 1, and so on. Where
a level is skipped, the number has a 0 in its place. All lines are headings of level 1 to 5; there
are at most 30.

Example: solve(["# a", "## b", "## c", "# d"]) returns ["1 a", "1.1 b", "1.2 c", "2 d"];
solve(["# a", "### b"]) returns ["1 a", "1.0.1 b"].""",
    solutions=(
        """
def solve(lines):
    counters = []
    result = []
    for line in lines:
        marks, title = line.split(" ", 1)
        level = len(marks)
        del counters[level:]
        while len(counters) < level:
            counters.append(0)
        counters[-1] += 1
        result.append(".".join(map(str, counters)) + " " + title)
    return result
""",
        """
def solve(lines):
    counts = [0] * 6
    numbered = []
    for line in lines:
        level = line.index(" ")
        counts[level] += 1
        for deeper in range(level + 1, 6):
            counts[deeper] = 0
        number = ".".join(str(count) for count in counts[1:level + 1])
        numbered.append(f"{number} {line[level + 1:]}")
    return numbered
""",
        """
def solve(lines):
    result = []
    for place, line in enumerate(lines):
        level = line.index(" ")
        number = []
        for depth in range(level, 0, -1):
            count = 0
            for earlier in reversed(lines[:place + 1]):
                marks = earlier.index(" ")
                if marks < depth:
                    break
                count += marks == depth
            number.insert(0, str(count))
        result.append(".".join(number) + line[level:])
    return result
""",
    ),
    make_input=_outline,
    edge_cases=(
        ([],),
        (["# a"],),
        (["## a"],),
        (["# a", "# b"],),
        (["# a", "## b", "## c", "# d"],),
        (["# a", "### b"],),
        (["# a", "## b", "# c", "## d"],),
        (["### a", "## b", "### c"],),
    ),
)


PROBLEMS = (WEB_QUERY, NUMBERED_HEADINGS)
