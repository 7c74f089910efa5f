"""Problems about lists: putting elements into another order."""

import random

from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _blocks(generator: random.Random, size: int) -> Arguments:
    length = generator.randint(1, 2 + size // 4)
    return [generator.randint(0, 9) for _ in range(generator.randint(0, 1 + size))], length


ALTERNATE_BLOCKS = Problem(
    name="alternate_blocks",
    topic="lists",
    question="""\
A list is divided from its beginning into blocks of `length` elements; the last block may have
fewer. Write `solve(values, length)`, which returns the list in which the first, third, fifth, ...
block is reversed, provided that it has `length` elements, and all else stays as it is. There are at
most 100 integers, and the length is at least 1.

Example: solve([1, 2, 3, 4, 5, 6], 2) returns [2, 1, 3, 4, 6, 5]; solve([1, 2, 3], 4) returns
[1, 2, 3].""",
    solutions=(
        """
def solve(values, length):
    result = []
    for start in range(0, len(values), length):
        block = values[start:start + length]
        if start // length % 2 == 0 and len(block) == length:
            block.reverse()
        result.extend(block)
    return result
""",
        """
def solve(values, length):
    result = list(values)
    start = 0
    while start + length <= len(result):
        left = start
        right = start + length - 1
        while left < right:
            result[left], result[right] = result[right], result[left]
            left += 1
            right -= 1
        start += 2 * length
    return result
""",
        """
def solve(values, length):
    if len(values) < length:
        return values
    turned = values[:length][::-1]
    kept = values[length:2 * length]
    return turned + kept + solve(values[2 * length:], length)
""",
    ),
    make_input=_blocks,
    edge_cases=(
        ([], 1),
        ([5], 1),
        ([1, 2], 2),
        ([1, 2, 3], 2),
        ([1, 2, 3, 4, 5], 2),
        ([1, 2, 3, 4, 5, 6], 2),
        ([1, 2, 3], 4),
    ),
)


def _table(generator: random.Random, size: int) -> Arguments:
    num_rows = generator.randint(0 if size < 3 else 1, 1 + size // 4)
    num_columns = generator.randint(1, 1 + size // 4)
    return ([[generator.randint(0, 99) for _ in range(num_columns)] for _ in range(num_rows)],)


INWARD_SPIRAL = Problem(
    name="inward_spiral",
    topic="lists",
    question="""\
Write `solve(table)`, which reads a table of numbers along a spiral: from its upper right corner
down the last column, then to the left along the lowest row, up the first column, to the right along
what is left of the top row, and so on inwards, until each number has been read once. The table is a
list of at most 10 rows, which are lists of equally many numbers, at least 1 and at most 10. Return
the numbers in the order in which they are read; a table without rows gives [].

Example: solve([[1, 2, 3], [4, 5, 6]]) returns [3, 6, 5, 4, 1, 2].""",
    solutions=(
        """
def solve(table):
    if not table:
        return []
    top, bottom = 0, len(table) - 1
    left, right = 0, len(table[0]) - 1
    numbers = []
    while top <= bottom and left <= right:
        for row in range(top, bottom + 1):
            numbers.append(table[row][right])
        right -= 1
        for column in range(right, left - 1, -1):
            numbers.append(table[bottom][column])
        bottom -= 1
        if left <= right:
            for row in range(bottom, top - 1, -1):
                numbers.append(table[row][left])
            left += 1
        if top <= bottom:
            for column in range(left, right + 1):
                numbers.append(table[top][column])
            top += 1
    return numbers
""",
        """
def solve(table):
    rows = [list(row) for row in table]
    numbers = []
    while rows:
        numbers.extend(row.pop() for row in rows)
        rows = [list(column) for column in zip(*rows)][::-1]
    return numbers
""",
        """
def solve(table):
    numbers = []
    height = len(table)
    width = len(table[0]) if table else 0
    seen = set()
    row, column = 0, width - 1
    down, right = 1, 0
    for _ in range(height * width):
        numbers.append(table[row][column])
        seen.add((row, column))
        next_row, next_column = row + down, column + right
        inside = 0 <= next_row < height and 0 <= next_column < width
        if not inside or (next_row, next_column) in seen:
            down, right = right, -down
        row += down
        column += right
    return numbers
""",
    ),
    make_input=_table,
    edge_cases=(
        ([],),
        ([[1]],),
        ([[1, 2, 3]],),
        ([[1], [2], [3]],),
        ([[1, 2], [3, 4]],),
        ([[1, 2, 3], [4, 5, 6]],),
        ([[1, 2, 3], [4, 5, 6], [7, 8, 9]],),
        ([[1, 2], [3, 4], [5, 6]],),
    ),
)


def _piles(generator: random.Random, size: int) -> Arguments:
    piles = []
    for _ in range(generator.randint(0, 1 + size // 4)):
        length = generator.randint(0, 1 + size // 3)
        piles.append([generator.randint(0, 99) for _ in range(length)])
    return (piles,)


TAKING_TURNS = Problem(
    name="taking_turns",
    topic="lists",
    question="""\
Several piles of cards are given as lists of integers, the first of which lies on top. Write
`solve(piles)`, which lays all cards in one row: it goes through the piles from the first to the
last and takes the top card of each, then again, and so on; a pile that has run out is passed over.
The direction changes after each time through: the second time goes from the last pile to the first,
the third time from the first to the last. Return the row. There are at most 10 piles of at most 20
cards each.

Example: solve([[1, 2, 3], [4], [5, 6]]) returns [1, 4, 5, 6, 2, 3].""",
    solutions=(
        """
def solve(piles):
    row = []
    longest = max((len(pile) for pile in piles), default=0)
    for turn in range(longest):
        order = piles if turn % 2 == 0 else piles[::-1]
        for pile in order:
            if turn < len(pile):
                row.append(pile[turn])
    return row
""",
        """
from collections import deque

def solve(piles):
    waiting = [deque(pile) for pile in piles]
    row = []
    while any(waiting):
        for pile in waiting:
            if pile:
                row.append(pile.popleft())
        waiting.reverse()
    return row
""",
        """
from itertools import zip_longest

def solve(piles):
    row = []
    forward = True
    for layer in zip_longest(*piles):
        cards = [card for card in layer if card is not None]
        if not forward:
            cards.reverse()
        row += cards
        forward = not forward
    return row
""",
    ),
    make_input=_piles,
    edge_cases=(
        ([],),
        ([[]],),
        ([[], [], [3]],),
        ([[1, 2, 3]],),
        ([[1], [2], [3]],),
        ([[1, 2, 3], [4], [5, 6]],),
        ([[0, 0], [], [0, 1]],),
    ),
)

PROBLEMS = (ALTERNATE_BLOCKS, INWARD_SPIRAL, TAKING_TURNS)
