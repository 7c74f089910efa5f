"""Problems about lists: tables of numbers."""

import random

from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _table(generator: random.Random, size: int, largest: int = 5) -> list[list[int]]:
    num_rows, num_columns = (generator.randint(1, 2 + size // 5) for _ in range(2))
    return [[generator.randint(0, largest) for _ in range(num_columns)] for _ in range(num_rows)]


def _saddled(generator: random.Random, size: int) -> Arguments:
    return (_table(generator, size, 3 + size // 5),)


SADDLE_POINTS = Problem(
    name="saddle_points",
    topic="lists",
    question="""\
A place in a table of numbers is a saddle point if no number in its row is greater, and no number in
its column is smaller than the number there. Write `solve(table)`, which returns the list of all
saddle points as [row, column], counted from 0, ordered by row and then by column. The table has 1
to 8 rows, which all have the same 1 to 8 columns.

Example: solve([[3, 1], [4, 2]]) returns [[0, 0]]; solve([[1, 2], [2, 1]]) returns [].""",
    solutions=(
        """
def solve(table):
    points = []
    for row, values in enumerate(table):
        for column, value in enumerate(values):
            if value == max(values) and value == min(other[column] for other in table):
                points.append([row, column])
    return points
""",
        """
def solve(table):
    largest = [max(values) for values in table]
    smallest = [min(column) for column in zip(*table)]
    return [
        [row, column]
        for row in range(len(table))
        for column in range(len(smallest))
        if largest[row] == smallest[column] == table[row][column]
    ]
""",
        """
def solve(table):
    level = max(min(column) for column in zip(*table))
    if level != min(max(values) for values in table):
        return []
    points = []
    for row, values in enumerate(table):
        if max(values) > level:
            continue
        for column, value in enumerate(values):
            if value == level and all(other[column] >= level for other in table):
                points.append([row, column])
    return points
""",
    ),
    make_input=_saddled,
    edge_cases=(
        ([[7]],),
        ([[1, 1]],),
        ([[1], [1]],),
        ([[3, 1], [4, 2]],),
        ([[1, 2], [2, 1]],),
        ([[2, 2], [2, 2]],),
        ([[5, 3, 5], [6, 1, 6]],),
    ),
)


def _ring(generator: random.Random, size: int) -> Arguments:
    return _table(generator, size, 99), generator.randint(0, 3 + size)


TURNED_BORDER = Problem(
    name="turned_border",
    topic="lists",
    question="""\
The numbers on the border of a table move along it clockwise, all at the same time and each by
`steps` places; the numbers inside stay where they are. Write `solve(table, steps)`, which returns
the new table. In a table with a single row or column the border is the whole table: its numbers
move to the right or downwards, and from the last place to the first. The table has 1 to 8 rows,
which all have the same 1 to 8 columns; there are 0 to 50 steps.

Example: solve([[1, 2], [3, 4]], 1) returns [[3, 1], [4, 2]]; solve([[1, 2, 3]], 1) returns
[[3, 1, 2]].""",
    solutions=(
        """
def solve(table, steps):
    height, width = len(table), len(table[0])
    if height == 1 or width == 1:
        places = [(row, column) for row in range(height) for column in range(width)]
    else:
        places = [(0, column) for column in range(width - 1)]
        places += [(row, width - 1) for row in range(height - 1)]
        places += [(height - 1, column) for column in range(width - 1, 0, -1)]
        places += [(row, 0) for row in range(height - 1, 0, -1)]
    result = [list(values) for values in table]
    for index, (row, column) in enumerate(places):
        to_row, to_column = places[(index + steps) % len(places)]
        result[to_row][to_column] = table[row][column]
    return result
""",
        """
def solve(table, steps):
    height, width = len(table), len(table[0])
    table = [list(values) for values in table]
    for _ in range(steps):
        if height == 1:
            table[0] = table[0][-1:] + table[0][:-1]
        elif width == 1:
            table = table[-1:] + table[:-1]
        else:
            corner = table[0][0]
            for row in range(height - 1):
                table[row][0] = table[row + 1][0]
            for column in range(width - 1):
                table[-1][column] = table[-1][column + 1]
            for row in range(height - 1, 0, -1):
                table[row][-1] = table[row - 1][-1]
            for column in range(width - 1, 1, -1):
                table[0][column] = table[0][column - 1]
            table[0][1] = corner
    return table
""",
    ),
    make_input=_ring,
    edge_cases=(
        ([[1]], 3),
        ([[1, 2, 3]], 1),
        ([[1], [2], [3]], 2),
        ([[1, 2], [3, 4]], 0),
        ([[1, 2], [3, 4]], 1),
        ([[1, 2, 3], [4, 5, 6], [7, 8, 9]], 1),
        ([[1, 2, 3], [4, 5, 6]], 7),
    ),
)


def _rows(generator: random.Random, size: int) -> Arguments:
    rows = []
    for _ in range(generator.randint(0, 1 + size // 4)):
        rows.append([generator.randint(-9, 9) for _ in range(generator.randint(0, 1 + size // 4))])
    return (rows,)


COLUMN_RANGES = Problem(
    name="column_ranges",
    topic="lists",
    question="""\
The rows of a table may be of different length; a row has no entry in the columns behind its end.
Write `solve(rows)`, which returns for each column a list of three numbers: how many rows have an
entry in it, and the smallest and the greatest of these entries. There are at most 12 rows with at
most 12 integers each, and rows may be empty. A table without entries gives [].

Example: solve([[1, 5], [4], [2, 7, 0]]) returns [[3, 1, 4], [2, 5, 7], [1, 0, 0]].""",
    solutions=(
        """
def solve(rows):
    ranges = []
    for row in rows:
        for column, value in enumerate(row):
            if column == len(ranges):
                ranges.append([1, value, value])
            else:
                entry = ranges[column]
                entry[0] += 1
                entry[1] = min(entry[1], value)
                entry[2] = max(entry[2], value)
    return ranges
""",
        """
def solve(rows):
    width = max([len(row) for row in rows], default=0)
    columns = [[row[place] for row in rows if len(row) > place] for place in range(width)]
    return [[len(column), min(column), max(column)] for column in columns]
""",
        """
def solve(rows):
    rows = [row for row in rows if row]
    if not rows:
        return []
    first = sorted(row[0] for row in rows)
    return [[len(first), first[0], first[-1]]] + solve([row[1:] for row in rows])
""",
    ),
    make_input=_rows,
    edge_cases=(
        ([],),
        ([[]],),
        ([[3]],),
        ([[], [2]],),
        ([[2], []],),
        ([[1, 5], [4], [2, 7, 0]],),
        ([[-1, -2], [-3, -4]],),
    ),
)


def _any_table(generator: random.Random, size: int) -> Arguments:
    return (_table(generator, size, 9),)


DIAGONAL_SUMS = Problem(
    name="diagonal_sums",
    topic="lists",
    question="""\
The diagonals of a table of numbers run from the upper left to the lower right; the first one is the
number in the lower left corner alone, the last one that in the upper right corner. Write
`solve(table)`, which returns the list of the sums of all diagonals in this order. The table has 1
to 8 rows, which all have the same 1 to 8 columns.

Example: solve([[1, 2, 3], [4, 5, 6]]) returns [4, 6, 8, 3]; solve([[7]]) returns [7].""",
    solutions=(
        """
def solve(table):
    sums = [0] * (len(table) + len(table[0]) - 1)
    for row, values in enumerate(table):
        for column, value in enumerate(values):
            sums[len(table) - 1 - row + column] += value
    return sums
""",
        """
def solve(table):
    height, width = len(table), len(table[0])
    sums = []
    for start in range(1 - height, width):
        total = 0
        row, column = max(0, -start), max(0, start)
        while row < height and column < width:
            total += table[row][column]
            row += 1
            column += 1
        sums.append(total)
    return sums
""",
    ),
    make_input=_any_table,
    edge_cases=(
        ([[7]],),
        ([[1, 2]],),
        ([[1], [2]],),
        ([[1, 2], [3, 4]],),
        ([[1, 2, 3], [4, 5, 6]],),
        ([[1, 2], [3, 4], [5, 6]],),
    ),
)


PROBLEMS = (SADDLE_POINTS, TURNED_BORDER, COLUMN_RANGES, DIAGONAL_SUMS)
