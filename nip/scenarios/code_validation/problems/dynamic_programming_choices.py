"""Problems about dynamic programming: choosing what costs least or brings most."""

import random

from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _stones(generator: random.Random, size: int) -> Arguments:
    costs = [
        -1 if generator.random() < 0.3 else generator.randint(0, 9)
        for _ in range(generator.randint(0, size))
    ]
    return costs, generator.randint(1, 4)


STEPPING_STONES = Problem(
    name="stepping_stones",
    topic="dynamic_programming",
    question="""\
Stones lie in a row across a river. Write `solve(costs, reach)`, where `costs` gives for each stone
the toll for stepping on it (0 or more), or -1 for a stone that is missing and cannot be stepped on.
One starts on the bank before the first stone and must get to the bank behind the last one; each
step goes forward by at least 1 and at most `reach` places, where the two banks take one place each.
Return the smallest sum of tolls, or -1 if the river cannot be crossed. There are at most 50 stones;
without any, one step leads across and costs 0. The reach is at least 1.

Example: solve([4, 1, -1, 2], 2) returns 3; solve([1, -1, -1, 1], 2) returns -1.""",
    solutions=(
        """
def solve(costs, reach):
    tolls = [0] + costs + [0]
    cheapest = [0]
    for place in range(1, len(tolls)):
        options = [
            cheapest[previous]
            for previous in range(max(0, place - reach), place)
            if cheapest[previous] is not None
        ]
        if tolls[place] == -1 or not options:
            cheapest.append(None)
        else:
            cheapest.append(min(options) + tolls[place])
    return -1 if cheapest[-1] is None else cheapest[-1]
""",
        """
from functools import cache

def solve(costs, reach):
    impossible = 10 ** 9

    @cache
    def cheapest_from(place):
        if place > len(costs):
            return 0
        best = impossible
        for step in range(1, reach + 1):
            target = place + step
            if target > len(costs):
                best = min(best, 0)
            elif costs[target - 1] >= 0:
                best = min(best, costs[target - 1] + cheapest_from(target))
        return best

    answer = cheapest_from(0)
    return answer if answer < impossible else -1
""",
        """
import heapq

def solve(costs, reach):
    goal = len(costs) + 1
    queue = [(0, 0)]
    visited = set()
    while queue:
        paid, place = heapq.heappop(queue)
        if place == goal:
            return paid
        if place in visited:
            continue
        visited.add(place)
        for target in range(place + 1, min(place + reach, goal) + 1):
            toll = costs[target - 1] if target < goal else 0
            if toll != -1:
                heapq.heappush(queue, (paid + toll, target))
    return -1
""",
    ),
    make_input=_stones,
    edge_cases=(
        ([], 1),
        ([5], 1),
        ([5], 2),
        ([-1], 1),
        ([-1], 2),
        ([4, 1, -1, 2], 2),
        ([1, -1, -1, 1], 2),
        ([3, 3, 3, 3], 3),
    ),
)


def _lectures(generator: random.Random, size: int) -> Arguments:
    lectures = []
    for _ in range(generator.randint(0, 1 + size // 2)):
        begin = generator.randint(0, 4 + size)
        length = generator.randint(1, 2 + size // 3)
        lectures.append([begin, begin + length, generator.randint(1, 9)])
    return (lectures,)


BEST_LECTURES = Problem(
    name="best_lectures",
    topic="dynamic_programming",
    question="""\
A lecture is a list of three integers: when it begins, when it ends, and how much one likes it, with
0 <= begin < end <= 100 and a liking between 1 and 1000. Write `solve(lectures)`, which chooses
lectures of which no two overlap, such that the sum of the likings is largest, and returns that sum.
A lecture may begin at the very time at which another one ends. There are at most 50 lectures, in
any order; the sum of none is 0.

Example: solve([[1, 3, 5], [2, 5, 6], [3, 6, 2]]) returns 7.""",
    solutions=(
        """
from bisect import bisect_right

def solve(lectures):
    ordered = sorted(lectures, key=lambda lecture: lecture[1])
    ends = [end for _, end, _ in ordered]
    best = [0]
    for index, (begin, _, liking) in enumerate(ordered):
        compatible = bisect_right(ends, begin, 0, index)
        best.append(max(best[index], best[compatible] + liking))
    return best[-1]
""",
        """
def solve(lectures):
    best = [0] * 101
    for time in range(1, 101):
        best[time] = best[time - 1]
        for begin, end, liking in lectures:
            if end == time:
                best[time] = max(best[time], best[begin] + liking)
    return best[100]
""",
        """
from functools import lru_cache

def solve(lectures):
    lectures = sorted(lectures)

    @lru_cache(maxsize=None)
    def best_from(index):
        if index == len(lectures):
            return 0
        _, end, liking = lectures[index]
        following = index + 1
        while following < len(lectures) and lectures[following][0] < end:
            following += 1
        return max(best_from(index + 1), liking + best_from(following))

    return best_from(0)
""",
    ),
    make_input=_lectures,
    edge_cases=(
        ([],),
        ([[0, 100, 7]],),
        ([[0, 1, 1], [1, 2, 1]],),
        ([[0, 2, 3], [1, 3, 3]],),
        ([[0, 9, 5], [1, 3, 3], [3, 5, 3]],),
        ([[1, 3, 5], [2, 5, 6], [3, 6, 2]],),
        ([[4, 6, 2], [4, 6, 2]],),
    ),
)


def _orchard(generator: random.Random, size: int) -> Arguments:
    num_rows = generator.randint(1, 2 + size // 5)
    num_columns = generator.randint(1, 2 + size // 5)
    blocked = generator.choice((0.1, 0.3))
    return (
        [
            [
                -1 if generator.random() < blocked else generator.randint(0, 9)
                for _ in range(num_columns)
            ]
            for _ in range(num_rows)
        ],
    )


APPLE_PATH = Problem(
    name="apple_path",
    topic="dynamic_programming",
    question="""\
An orchard is a list of rows, equally long lists of integers: how many apples grow on a field (0 or
more), or -1 for a field that is fenced off. Write `solve(orchard)`. One walks from the upper left
field to the lower right one, each step going one field to the right or one field down, never onto a
fenced field, and collects the apples of all fields on the way, the first and the last included.
Return the largest number of apples, or -1 if there is no way; there is none if the first or the
last field is fenced off. There is at least one row and one column, and at most 12 of either.

Example: solve([[1, 5], [2, 0]]) returns 6; solve([[1, -1], [-1, 1]]) returns -1.""",
    solutions=(
        """
def solve(orchard):
    height = len(orchard)
    width = len(orchard[0])
    most = [[-1] * width for _ in range(height)]
    for row in range(height):
        for column in range(width):
            if orchard[row][column] == -1:
                continue
            if row == 0 and column == 0:
                most[0][0] = orchard[0][0]
                continue
            above = most[row - 1][column] if row > 0 else -1
            before = most[row][column - 1] if column > 0 else -1
            if max(above, before) >= 0:
                most[row][column] = max(above, before) + orchard[row][column]
    return most[-1][-1]
""",
        """
from functools import cache

def solve(orchard):
    last_row = len(orchard) - 1
    last_column = len(orchard[0]) - 1

    @cache
    def most_from(row, column):
        if row > last_row or column > last_column:
            return -1
        apples = orchard[row][column]
        if apples < 0:
            return -1
        if row == last_row and column == last_column:
            return apples
        rest = max(most_from(row + 1, column), most_from(row, column + 1))
        return rest if rest == -1 else rest + apples

    return most_from(0, 0)
""",
        """
def solve(orchard):
    width = len(orchard[0])
    best = [-1] * width
    for number, fields in enumerate(orchard):
        left = 0 if number == 0 else -1
        for column, apples in enumerate(fields):
            arriving = max(best[column], left)
            if apples == -1 or arriving == -1:
                best[column] = -1
            else:
                best[column] = arriving + apples
            left = best[column]
    return best[width - 1]
""",
    ),
    make_input=_orchard,
    edge_cases=(
        ([[4]],),
        ([[-1]],),
        ([[0]],),
        ([[1, 2, 3]],),
        ([[1], [-1], [3]],),
        ([[1, 5], [2, 0]],),
        ([[1, -1], [-1, 1]],),
        ([[0, 0, -1], [-1, 0, 0], [9, 9, 0]],),
    ),
)


def _doors(generator: random.Random, size: int) -> Arguments:
    num_colours = generator.randint(1, 4)
    num_doors = generator.randint(0, 1 + size // 2)
    return ([[generator.randint(0, 9) for _ in range(num_colours)] for _ in range(num_doors)],)


PAINTED_DOORS = Problem(
    name="painted_doors",
    topic="dynamic_programming",
    question="""\
The doors of a street are painted, such that no two neighbouring doors have the same colour. Write
`solve(costs)`, where `costs` has a list for each door, with the cost of each colour for that door.
Return the smallest total cost, or -1 if it cannot be done. There are at most 50 doors and 10
colours, at least one colour, the same number for every door; costs are integers between 0 and 1000.
Without doors the total is 0.

Example: solve([[1, 5], [1, 5], [2, 4]]) returns 8; solve([[3], [3]]) returns -1.""",
    solutions=(
        """
def solve(costs):
    totals = []
    for number, options in enumerate(costs):
        if number == 0:
            totals = options
            continue
        if len(options) == 1:
            return -1
        totals = [
            cost + min(totals[:colour] + totals[colour + 1:])
            for colour, cost in enumerate(options)
        ]
    return min(totals, default=0)
""",
        """
def solve(costs):
    infinite = float("inf")
    lowest, second, lowest_colour = 0, 0, -1
    for options in costs:
        new_lowest, new_second, new_colour = infinite, infinite, -1
        for colour, cost in enumerate(options):
            total = cost + (second if colour == lowest_colour else lowest)
            if total < new_lowest:
                new_lowest, new_second, new_colour = total, new_lowest, colour
            elif total < new_second:
                new_second = total
        lowest, second, lowest_colour = new_lowest, new_second, new_colour
    return -1 if lowest == infinite else lowest
""",
        """
from functools import cache

def solve(costs):
    @cache
    def cheapest(door, previous):
        if door == len(costs):
            return 0
        best = None
        for colour, cost in enumerate(costs[door]):
            if colour == previous:
                continue
            rest = cheapest(door + 1, colour)
            if rest is not None and (best is None or cost + rest < best):
                best = cost + rest
        return best

    total = cheapest(0, None)
    return -1 if total is None else total
""",
    ),
    make_input=_doors,
    edge_cases=(
        ([],),
        ([[7]],),
        ([[3], [3]],),
        ([[1, 5], [1, 5], [2, 4]],),
        ([[2, 2, 2], [2, 2, 2]],),
        ([[0, 0], [0, 0], [0, 0]],),
        ([[1, 9, 9], [1, 2, 9], [1, 9, 3]],),
    ),
)


PROBLEMS = (STEPPING_STONES, BEST_LECTURES, APPLE_PATH, PAINTED_DOORS)
