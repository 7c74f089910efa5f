"""Problems about parsing: lists of things that are written in a line."""

import random

from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _pages(generator: random.Random, size: int) -> Arguments:
    parts = []
    for _ in range(generator.randint(0, 1 + size // 3)):
        first = generator.randint(1, 4 + size)
        part = str(first)
        if generator.random() < 0.5:
            part += "-" + str(max(1, first + generator.randint(-2, 3)))
        parts.append(part)
    return (generator.choice((",", ", ")).join(parts),)


TIDY_PAGES = Problem(
    name="tidy_pages",
    topic="parsing",
    question="""\
Pages to be printed are listed in a text like "7-9, 3, 5-4": page numbers and ranges, separated by
commas, after which there may be a space. A range includes both its ends, and its greater end may
come first. Write `solve(text)`, which returns the tidy form of the list: each page once, in
ascending order, three or more consecutive pages written as one range like "3-5", all others as
single pages, separated by commas without spaces. The text has at most 100 characters and page
numbers between 1 and 300; it is empty if there are no pages, and so is the result.

Example: solve("7-9, 3, 5-4, 11, 12") returns "3-5,7-9,11,12".""",
    solutions=(
        """
def solve(text):
    pages = set()
    for part in text.replace(" ", "").split(","):
        if part:
            ends = [int(end) for end in part.split("-")]
            pages.update(range(min(ends), max(ends) + 1))
    runs = []
    for page in sorted(pages):
        if runs and runs[-1][-1] == page - 1:
            runs[-1].append(page)
        else:
            runs.append([page])
    parts = []
    for run in runs:
        if len(run) >= 3:
            parts.append(f"{run[0]}-{run[-1]}")
        else:
            parts.extend(str(page) for page in run)
    return ",".join(parts)
""",
        """
import re

def solve(text):
    wanted = [False] * 302
    for first, last in re.findall("([0-9]+)(?:-([0-9]+))?", text):
        first = int(first)
        last = int(last) if last else first
        if first > last:
            first, last = last, first
        for page in range(first, last + 1):
            wanted[page] = True
    result = []
    page = 1
    while page <= 300:
        if not wanted[page]:
            page += 1
            continue
        end = page
        while wanted[end + 1]:
            end += 1
        if end - page > 1:
            result.append(str(page) + "-" + str(end))
        else:
            result.append(str(page))
            if end > page:
                result.append(str(end))
        page = end + 1
    return ",".join(result)
""",
        """
def solve(text):
    ranges = []
    for part in text.split(","):
        if part.strip() == "":
            continue
        first, _, last = part.strip().partition("-")
        pair = [int(first), int(last or first)]
        ranges.append(sorted(pair))
    ranges.sort()
    merged = []
    for first, last in ranges:
        if merged and first <= merged[-1][1] + 1:
            merged[-1][1] = max(last, merged[-1][1])
        else:
            merged.append([first, last])
    words = []
    for first, last in merged:
        separator = "-" if last > first + 1 else ","
        words.append(str(first) if first == last else f"{first}{separator}{last}")
    return ",".join(words)
""",
    ),
    make_input=_pages,
    edge_cases=(
        ("",),
        ("1",),
        ("300",),
        ("2,1",),
        ("3-3",),
        ("1-2",),
        ("3-1",),
        ("5, 4, 6, 5",),
        ("1-5, 3-8, 10",),
        ("7-9, 3, 5-4, 11, 12",),
        ("298-300, 297",),
    ),
)


def _path(generator: random.Random, size: int) -> Arguments:
    parts = [
        generator.choice(("a", "b", "..", "..", ".", "", "...", "-"))
        for _ in range(generator.randint(0, 1 + size // 2))
    ]
    return ("/" * generator.randint(0, 1) + "/".join(parts),)


SHORTEST_PATH_NAME = Problem(
    name="shortest_path_name",
    topic="parsing",
    question="""\
A path names a folder: names separated by one or several slashes, perhaps with slashes in front and
at the end. "." stands for the folder reached so far, and ".." for the folder that contains it; any
other name, also "...", for a folder in it. A path that begins with a slash starts at the root,
which contains itself; any other path starts at an unknown place. Write `solve(path)`, which returns
the shortest path to the same folder. It has single slashes between the names, none at the end, and
one in front exactly if the given path has one; it begins with ".." only if it starts at an unknown
place and leads out of it. The root is "/", and the unknown place itself is ".". An empty path
stands for the unknown place. The path has at most 100 characters.

Example: solve("/a/./b//../c/") returns "/a/c"; solve("a/../../b") returns "../b"; solve("/..")
returns "/".""",
    solutions=(
        """
def solve(path):
    rooted = path.startswith("/")
    names = []
    for name in path.split("/"):
        if name == "" or name == ".":
            continue
        if name != "..":
            names.append(name)
        elif names and names[-1] != "..":
            names.pop()
        elif not rooted:
            names.append("..")
    joined = "/".join(names)
    if rooted:
        return "/" + joined
    return joined or "."
""",
        """
def solve(path):
    skipped = 0
    kept = []
    for name in reversed(path.split("/")):
        if name in ("", "."):
            continue
        if name == "..":
            skipped += 1
        elif skipped > 0:
            skipped -= 1
        else:
            kept.insert(0, name)
    if path[:1] == "/":
        return "/" + "/".join(kept)
    kept = [".."] * skipped + kept
    return "/".join(kept) if kept else "."
""",
        """
def solve(path):
    names = [name for name in path.split("/") if name not in ("", ".")]
    place = 0
    while place < len(names):
        if names[place] != "..":
            place += 1
        elif place > 0 and names[place - 1] != "..":
            del names[place - 1:place + 1]
            place -= 1
        elif path[0] == "/":
            del names[place]
        else:
            place += 1
    result = "/".join(names)
    if path.startswith("/"):
        result = "/" + result
    return result if result != "" else "."
""",
    ),
    make_input=_path,
    edge_cases=(
        ("",),
        ("/",),
        ("//",),
        (".",),
        ("..",),
        ("/..",),
        ("/../a/..",),
        ("a/../../b",),
        ("../../a/b/..",),
        ("/a/./b//../c/",),
        (".../a.b/.",),
        ("-/../a",),
    ),
)


def _orders(generator: random.Random, size: int) -> Arguments:
    parts = []
    for _ in range(generator.randint(0, 1 + size // 3)):
        name = generator.choice(("tea", "bun", "soup"))
        count = generator.choice(("", "2 ", "2x", "10 ", "3x ", "no ", "a "))
        parts.append(count + name + generator.choice(("", "", "s")))
    return (", ".join(parts),)


ORDER_OF_FOOD = Problem(
    name="order_of_food",
    topic="parsing",
    question="""\
A waiter notes orders like "2 teas, bun, 3x pie": parts separated by ", ". A part is an article of
lowercase letters, perhaps with a quantity in front of it: a whole number of at least 1 followed by
a space, by "x", or by "x" and a space; or "a " for one, or "no ", which cancels all that was
ordered of the article before. Without a quantity it is one. An "s" at the end of the article is no
part of its name. Write `solve(note)`, which returns the total order as a list of texts like
"2 tea", sorted by the names of the articles, without those of which nothing is ordered. The note
has at most 200 characters and is empty if nothing is ordered; no name of an article begins with
"x" or ends with "s".

Example: solve("2 teas, bun, 3x pie, tea, no buns") returns ["3 pie", "3 tea"].""",
    solutions=(
        """
def solve(note):
    ordered = {}
    for part in note.split(", "):
        if part == "":
            continue
        digits = ""
        while part[0].isdigit():
            digits += part[0]
            part = part[1:]
        if digits and part[0] == "x":
            part = part[1:]
        *words, article = part.split()
        if article.endswith("s"):
            article = article[:-1]
        if "no" in words:
            ordered[article] = 0
        else:
            ordered[article] = ordered.get(article, 0) + int(digits or "1")
    return [f"{ordered[name]} {name}" for name in sorted(ordered) if ordered[name]]
""",
        """
import re

def solve(note):
    ordered = {}
    pattern = "(?:([0-9]+)(?:x ?| )|(a|no) )?([a-z]+?)s?"
    for part in filter(None, note.split(", ")):
        number, word, name = re.fullmatch(pattern, part).groups()
        if word == "no":
            ordered.pop(name, None)
        else:
            ordered[name] = ordered.get(name, 0) + int(number or 1)
    return [str(count) + " " + name for name, count in sorted(ordered.items())]
""",
        """
def solve(note):
    totals = []
    for part in note.split(", ") if note else []:
        quantity = 1
        name = part.rstrip("s")
        if " " in name:
            first, name = name.split(" ")
            if first == "no":
                quantity = 0
            elif first != "a":
                quantity = int(first.rstrip("x"))
        elif name[0] in "123456789":
            first, name = name.split("x", 1)
            quantity = int(first)
        if quantity == 0:
            totals = [total for total in totals if total[0] != name]
            continue
        for total in totals:
            if total[0] == name:
                total[1] += quantity
                break
        else:
            totals.append([name, quantity])
    return [f"{quantity} {name}" for name, quantity in sorted(totals)]
""",
    ),
    make_input=_orders,
    edge_cases=(
        ("",),
        ("tea",),
        ("a bun",),
        ("no tea",),
        ("10x tea",),
        ("2xpies",),
        ("soups, soup",),
        ("bun, no bun, bun",),
        ("2 teas, bun, 3x pie, tea, no buns",),
        ("tea, 12 teas, a tea, 3xtea",),
    ),
)

PROBLEMS = (TIDY_PAGES, SHORTEST_PATH_NAME, ORDER_OF_FOOD)
