"""Problems about simulation: machines that follow commands or rules step by step."""

import random

from nip.scenarios.code_validation.problems.inputs import random_word
from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _robot(generator: random.Random, size: int) -> Arguments:
    height = generator.randint(1, 2 + size // 6)
    width = generator.randint(1, 2 + size // 6)
    rows = [["#" if generator.random() < 0.2 else "." for _ in range(width)] for _ in range(height)]
    rows[0][0] = "."
    return ["".join(row) for row in rows], random_word(generator, "FFFFBLR", 0, 2 * size)


FLOOR_ROBOT = Problem(
    name="floor_robot",
    topic="simulation",
    question="""\
A robot stands on the upper left field of a room and looks to the right. The room is a list of
equally long strings, in which "." is a free field and "#" an obstacle; the upper left field is
free. The robot follows commands, one letter each: "L" and "R" turn it by a quarter to its left or
right; "F" moves it one field forward and "B" one field backward, in both cases without turning it.
If that would take it out of the room or onto an obstacle, it stays where it is and counts a bump.
Write `solve(room, commands)`, which returns a list of the row and the column where the robot ends
(both counted from 0), the direction in which it looks ("right", "down", "left" or "up"), and the
number of bumps. The room has between 1 and 10 rows and columns, and there are at most 100 commands.

Example: solve(["..", "#."], "FRFRF") returns [1, 1, "left", 1].""",
    solutions=(
        """
def solve(room, commands):
    names = ["right", "down", "left", "up"]
    moves = [(0, 1), (1, 0), (0, -1), (-1, 0)]
    row = column = facing = bumps = 0
    for command in commands:
        if command == "L":
            facing = (facing - 1) % 4
        elif command == "R":
            facing = (facing + 1) % 4
        else:
            sign = 1 if command == "F" else -1
            new_row = row + sign * moves[facing][0]
            new_column = column + sign * moves[facing][1]
            inside = 0 <= new_row < len(room) and 0 <= new_column < len(room[0])
            if inside and room[new_row][new_column] == ".":
                row, column = new_row, new_column
            else:
                bumps += 1
    return [row, column, names[facing], bumps]
""",
        """
def solve(room, commands):
    free = set()
    for row, fields in enumerate(room):
        for column, field in enumerate(fields):
            if field == ".":
                free.add((row, column))
    place = (0, 0)
    down, right = 0, 1
    bumps = 0
    for command in commands:
        if command == "L":
            down, right = -right, down
        elif command == "R":
            down, right = right, -down
        else:
            if command == "F":
                target = (place[0] + down, place[1] + right)
            else:
                target = (place[0] - down, place[1] - right)
            if target in free:
                place = target
            else:
                bumps += 1
    names = {(0, 1): "right", (1, 0): "down", (0, -1): "left", (-1, 0): "up"}
    return [place[0], place[1], names[down, right], bumps]
""",
        """
def solve(room, commands):
    width = len(room[0]) + 2
    wall = "#" * width
    floor = wall + "".join("#" + row + "#" for row in room) + wall
    steps = {"right": 1, "down": width, "left": -1, "up": -width}
    to_the_right = {"right": "down", "down": "left", "left": "up", "up": "right"}
    place = width + 1
    facing = "right"
    bumps = 0
    for command in commands:
        if command in "LR":
            for _ in range(1 if command == "R" else 3):
                facing = to_the_right[facing]
            continue
        step = steps[facing] if command == "F" else -steps[facing]
        if floor[place + step] == "#":
            bumps += 1
        else:
            place += step
    return [place // width - 1, place % width - 1, facing, bumps]
""",
    ),
    make_input=_robot,
    edge_cases=(
        (["."], ""),
        (["."], "FLFLFLF"),
        (["."], "BRBRBRB"),
        (["..", "#."], "FRFRF"),
        (["...", "...", "..."], "FFRFFRFFRFF"),
        (["..", ".."], "RBFLB"),
        ([".#", ".."], "FRFLFRR"),
    ),
)


def _lamps(generator: random.Random, size: int) -> Arguments:
    return random_word(generator, "*...", 1, 1 + size), generator.randint(0, 2 + size // 3)


RING_OF_LAMPS = Problem(
    name="ring_of_lamps",
    topic="simulation",
    question="""\
Lamps stand in a ring, and each has two neighbours: the ones before and after it in a string of "*"
(lit) and "." (dark), whose first and last lamps are neighbours too. In each round all lamps change
at the same time: a lit lamp goes dark if both its neighbours are lit, and else stays lit; a dark
lamp is lit if exactly one of its neighbours is lit, and else stays dark. In a ring of two lamps the
other lamp counts as both neighbours, and a single lamp as both neighbours of itself. Write
`solve(lamps, rounds)`, which returns the string after the given number of rounds, between 0 and 20.
There are between 1 and 40 lamps.

Example: solve(".*...", 1) returns "***.."; solve(".*...", 2) returns "*.***".""",
    solutions=(
        """
def solve(lamps, rounds):
    lit = [lamp == "*" for lamp in lamps]
    for _ in range(rounds):
        following = []
        for place in range(len(lit)):
            neighbours = lit[place - 1] + lit[(place + 1) % len(lit)]
            if lit[place]:
                following.append(neighbours < 2)
            else:
                following.append(neighbours == 1)
        lit = following
    return "".join("*" if lamp else "." for lamp in lit)
""",
        """
def solve(lamps, rounds):
    lights = {"..*", "*..", ".*.", ".**", "**."}
    for _ in range(rounds):
        around = lamps[-1] + lamps + lamps[0]
        triples = [around[place:place + 3] for place in range(len(lamps))]
        lamps = "".join("*" if triple in lights else "." for triple in triples)
    return lamps
""",
        """
def solve(lamps, rounds):
    size = len(lamps)
    everything = (1 << size) - 1
    state = 0
    for lamp in lamps:
        state = state << 1 | (lamp == "*")
    for _ in range(rounds):
        left = (state >> 1) | (state << (size - 1)) & everything
        right = (state << 1) & everything | (state >> (size - 1))
        state = (left ^ right) | (state & ~(left & right))
    return "".join("*" if state >> place & 1 else "." for place in range(size - 1, -1, -1))
""",
    ),
    make_input=_lamps,
    edge_cases=(
        (".", 1),
        ("*", 1),
        ("*.", 1),
        ("**", 1),
        ("*.*", 1),
        ("***", 3),
        (".*...", 0),
        (".*...", 2),
        ("*...*..", 4),
    ),
)


def _requests(generator: random.Random, size: int) -> Arguments:
    letters = "abcdefg"[: generator.randint(2, 7)]
    requests = [generator.choice(letters) for _ in range(generator.randint(0, 2 * size))]
    return requests, generator.randint(0, 4)


SMALL_DESK = Problem(
    name="small_desk",
    topic="simulation",
    question="""\
On a desk there is room for `capacity` books. A reader asks for books, one after the other. If a
book is on the desk, it is read there. If not, it is fetched and put on the desk; if the desk is
full, the book that has not been read for the longest time is put away first. On a desk of capacity
0 no book stays: each is fetched, read and put away. Write `solve(requests, capacity)`, where
`requests` is a list of titles, which returns a list of two things: how many times a book was
fetched, and the list of the books on the desk in the end, from the one that has not been read for
the longest time to the one read last. There are at most 100 requests, and the desk, which is empty
at first, has a capacity between 0 and 10.

Example: solve(["a", "b", "a", "c"], 2) returns [3, ["a", "c"]].""",
    solutions=(
        """
from collections import OrderedDict

def solve(requests, capacity):
    desk = OrderedDict()
    fetched = 0
    for book in requests:
        if book in desk:
            desk.move_to_end(book)
            continue
        fetched += 1
        desk[book] = True
        if len(desk) > capacity:
            desk.popitem(last=False)
    return [fetched, list(desk)]
""",
        """
def solve(requests, capacity):
    desk = []
    fetched = 0
    for book in requests:
        if book in desk:
            desk.remove(book)
        else:
            fetched += 1
            if capacity == 0:
                continue
            if len(desk) == capacity:
                desk = desk[1:]
        desk.append(book)
    return [fetched, desk]
""",
        """
def solve(requests, capacity):
    last_read = {}
    fetched = 0
    for time, book in enumerate(requests):
        if book not in last_read:
            fetched += 1
            if len(last_read) >= capacity > 0:
                oldest = min(last_read, key=last_read.get)
                del last_read[oldest]
        if capacity > 0:
            last_read[book] = time
    return [fetched, sorted(last_read, key=lambda book: last_read[book])]
""",
    ),
    make_input=_requests,
    edge_cases=(
        ([], 2),
        (["a"], 0),
        (["a", "a"], 0),
        (["a", "a"], 1),
        (["a", "b", "a"], 1),
        (["a", "b", "a", "c"], 2),
        (["a", "b", "c", "a", "d", "b"], 3),
    ),
)


def _edits(generator: random.Random, size: int) -> Arguments:
    commands = []
    for _ in range(generator.randint(0, size)):
        kind = generator.choice(("type", "type", "delete", "left", "right", "undo"))
        if kind == "type":
            commands.append("type " + random_word(generator, "abcd", 1, 4))
        elif kind == "undo":
            commands.append("undo")
        else:
            commands.append(f"{kind} {generator.randint(1, 3)}")
    return (commands,)


EDITED_LINE = Problem(
    name="edited_line",
    topic="simulation",
    question="""\
An editor has one line of text, empty at first, and a cursor in it, and follows commands: "type abc"
inserts the letters at the cursor, which then stands behind them; "delete 2" removes that many
letters before the cursor, or all before it if there are fewer; "left 3" and "right 3" move the
cursor by that many letters, or to the end of the line if there are fewer; "undo" brings back text
and cursor as they were right before the last "type" or "delete" that has not been undone yet, and
does nothing if there is none. A "delete" that finds nothing to remove can be undone like any other.
Write `solve(commands)`, which returns the line in the end with "|" at the cursor. There are at most
60 commands; letters are lowercase, at least one per "type", and numbers are at least 1.

Example: solve(["type abc", "left 1", "delete 1"]) returns "a|c"; with "undo" after them:
solve(["type abc", "left 1", "delete 1", "undo"]) returns "ab|c".""",
    solutions=(
        """
def solve(commands):
    text = ""
    cursor = 0
    history = []
    for command in commands:
        action, _, argument = command.partition(" ")
        if action == "undo":
            if history:
                text, cursor = history.pop()
        elif action == "left":
            cursor = max(0, cursor - int(argument))
        elif action == "right":
            cursor = min(len(text), cursor + int(argument))
        else:
            history.append((text, cursor))
            if action == "type":
                text = text[:cursor] + argument + text[cursor:]
                cursor += len(argument)
            else:
                start = max(0, cursor - int(argument))
                text = text[:start] + text[cursor:]
                cursor = start
    return text[:cursor] + "|" + text[cursor:]
""",
        """
def solve(commands):
    before = []
    after = []
    saved = []
    for command in commands:
        words = command.split()
        if words[0] in ("type", "delete"):
            saved.append((list(before), list(after)))
        if words[0] == "type":
            before.extend(words[1])
        elif words[0] == "delete":
            del before[max(0, len(before) - int(words[1])):]
        elif words[0] == "left":
            for _ in range(int(words[1])):
                if before:
                    after.append(before.pop())
        elif words[0] == "right":
            for _ in range(int(words[1])):
                if after:
                    before.append(after.pop())
        elif saved:
            before, after = saved.pop()
    return "".join(before) + "|" + "".join(reversed(after))
""",
    ),
    make_input=_edits,
    edge_cases=(
        ([],),
        (["undo"],),
        (["delete 1", "type a"],),
        (["type abc", "left 1", "delete 1"],),
        (["type abc", "left 1", "delete 1", "undo"],),
        (["type ab", "left 5", "type c", "right 9"],),
        (["type a", "delete 3", "undo", "undo", "undo"],),
        (["type ab", "left 2", "delete 1", "right 1", "undo", "type x"],),
    ),
)

PROBLEMS = (FLOOR_ROBOT, RING_OF_LAMPS, SMALL_DESK, EDITED_LINE)
