"""Problems about simulation: lifts, ants and cells."""

import random

from nip.scenarios.code_validation.problems.inputs import random_word
from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _lift(generator: random.Random, size: int) -> Arguments:
    calls = [
        generator.randint(0, 4 + size // 2) for _ in range(generator.randint(0, 1 + size // 2))
    ]
    return generator.randint(0, 4 + size // 2), calls, generator.choice(["up", "down"])


LIFT_STOPS = Problem(
    name="lift_stops",
    topic="simulation",
    question="""\
A lift stands at a floor and is about to go up or down. It goes in this direction and stops at all
floors from which it was called, then turns round and stops at the others on its way. If there is no
call in the first direction, it turns round at once. A call from the floor at which it stands is the
first stop, without a ride. Write `solve(floor, calls, direction)`, which returns a list of the
floors in the order of the stops, each once, and the number of floors that the lift passes through
in total, where a ride from floor 2 to floor 5 counts 3. There are at most 30 calls, in any order
and possibly several from one floor; floors are between 0 and 50, and the direction is "up" or
"down".

Example: solve(3, [5, 1, 4], "up") returns [[4, 5, 1], 6]; solve(0, [], "up") returns [[], 0].""",
    solutions=(
        """
def solve(floor, calls, direction):
    above = sorted({call for call in calls if call > floor})
    below = sorted({call for call in calls if call < floor}, reverse=True)
    stops = [floor] if floor in calls else []
    stops += above + below if direction == "up" else below + above
    distance = 0
    here = floor
    for stop in stops:
        distance += abs(stop - here)
        here = stop
    return [stops, distance]
""",
        """
def solve(floor, calls, direction):
    waiting = set(calls)
    stops = []
    distance = 0
    step = 1 if direction == "up" else -1
    while waiting:
        if floor in waiting:
            stops.append(floor)
            waiting.remove(floor)
        elif any((call - floor) * step > 0 for call in waiting):
            floor += step
            distance += 1
        else:
            step = -step
    return [stops, distance]
""",
        """
def solve(floor, calls, direction):
    sign = 1 if direction == "up" else -1
    stops = sorted(set(calls), key=lambda call: (sign * call < sign * floor, abs(call - floor)))
    places = [floor] + stops
    return [stops, sum(abs(one - other) for one, other in zip(places, stops))]
""",
    ),
    make_input=_lift,
    edge_cases=(
        (0, [], "up"),
        (2, [2], "down"),
        (2, [2, 2, 3], "down"),
        (3, [5, 1, 4], "up"),
        (3, [5, 1, 4], "down"),
        (3, [1, 2], "up"),
        (3, [4], "down"),
        (5, [5, 0, 9], "up"),
    ),
)


def _ant(generator: random.Random, size: int) -> Arguments:
    return generator.randint(1, 3 + size // 4), generator.randint(0, 3 * size + 3)


ANT_ON_A_RING_BOARD = Problem(
    name="ant_on_a_ring_board",
    topic="simulation",
    question="""\
An ant walks on a square board of `size` times `size` white squares, whose opposite edges are
joined: whoever leaves it on one side comes in on the other. It begins in row 0 and column 0 and
looks to the right. In each step, it turns right on a white square and left on a black one, changes
the colour of the square, and then goes one square ahead. Rows are counted downwards. Write
`solve(size, steps)`, which returns a list of the row, the column, and the number of black squares
after the steps. The size is between 1 and 10; there are 0 to 150 steps.

Example: solve(3, 2) returns [1, 2, 2]; solve(2, 0) returns [0, 0, 0].""",
    solutions=(
        """
def solve(size, steps):
    black = set()
    row, column = 0, 0
    down, right = 0, 1
    for _ in range(steps):
        if (row, column) in black:
            down, right = -right, down
            black.remove((row, column))
        else:
            down, right = right, -down
            black.add((row, column))
        row = (row + down) % size
        column = (column + right) % size
    return [row, column, len(black)]
""",
        """
def solve(size, steps):
    board = [[False] * size for _ in range(size)]
    moves = [(0, 1), (1, 0), (0, -1), (-1, 0)]
    row = column = heading = 0
    for _ in range(steps):
        is_black = board[row][column]
        heading = (heading + (3 if is_black else 1)) % 4
        board[row][column] = not is_black
        row, column = row + moves[heading][0], column + moves[heading][1]
        if row < 0 or row == size:
            row = size - 1 if row < 0 else 0
        if column < 0 or column == size:
            column = size - 1 if column < 0 else 0
    return [row, column, sum(map(sum, board))]
""",
        """
def solve(size, steps):
    black = [0] * (size * size)
    position = 0j
    ahead = 1 + 0j
    for _ in range(steps):
        place = int(position.imag) * size + int(position.real)
        ahead *= -1j if black[place] else 1j
        black[place] = 1 - black[place]
        position += ahead
        position = complex(position.real % size, position.imag % size)
    return [int(position.imag), int(position.real), sum(black)]
""",
    ),
    make_input=_ant,
    edge_cases=((1, 0), (1, 1), (1, 5), (2, 0), (2, 1), (3, 2), (3, 9), (4, 30), (10, 150)),
)


def _cells(generator: random.Random, size: int) -> Arguments:
    rule = generator.choice([30, 90, 110, 184, generator.randint(0, 255)])
    return random_word(generator, ".#", 0, 2 + size), rule, generator.randint(0, 1 + size // 3)


ROW_OF_CELLS = Problem(
    name="row_of_cells",
    topic="simulation",
    question="""\
In a row of cells each cell is alive, "#", or dead, ".". All cells change at the same time: a cell
and its neighbours to the left and to the right form a binary number of three digits, from left to
right, in which alive is 1 and dead 0. The cell is alive afterwards if this digit of the rule, a
number between 0 and 255, is 1, where digit 0 is that of the ones, digit 1 that of the twos, and so
on. Beyond both ends of the row everything is dead for ever. Write `solve(row, rule, steps)`, which
returns the row after the steps. It has at most 30 cells and may be empty; there are 0 to 20 steps.

Example: solve("..#..", 90, 1) returns ".#.#."; solve("#", 4, 1) returns "#".""",
    solutions=(
        """
def solve(row, rule, steps):
    for _ in range(steps):
        padded = "." + row + "."
        row = ""
        for place in range(1, len(padded) - 1):
            digit = 0
            for cell in padded[place - 1:place + 2]:
                digit = 2 * digit + (cell == "#")
            row += "#" if rule >> digit & 1 else "."
    return row
""",
        """
def solve(row, rule, steps):
    alive = {
        first + second + third
        for number, first in ((4, "#"), (0, "."))
        for second in "#."
        for third in "#."
        if rule // 2 ** (number + 2 * (second == "#") + (third == "#")) % 2
    }
    for _ in range(steps):
        triples = zip("." + row, row, row[1:] + ".")
        row = "".join("#" if "".join(triple) in alive else "." for triple in triples)
    return row
""",
        """
def solve(row, rule, steps):
    width = len(row)
    cells = [int(cell == "#") for cell in row]
    while steps > 0:
        left = [0] + cells[:-1]
        right = cells[1:] + [0]
        digits = [4 * left[n] + 2 * cells[n] + right[n] for n in range(width)]
        cells = [rule // 2 ** digit % 2 for digit in digits]
        steps -= 1
    return "".join(".#"[cell] for cell in cells)
""",
    ),
    make_input=_cells,
    edge_cases=(
        ("", 30, 2),
        ("#", 4, 1),
        ("#", 0, 1),
        (".", 1, 1),
        ("..#..", 90, 1),
        ("..#..", 30, 0),
        ("##.#", 110, 3),
        ("#.", 2, 1),
        (".#", 16, 1),
    ),
)


PROBLEMS = (LIFT_STOPS, ANT_ON_A_RING_BOARD, ROW_OF_CELLS)
