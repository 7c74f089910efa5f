"""Problems about graphs: tours and ways back."""

import random

from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _streets(generator: random.Random, size: int) -> Arguments:
    number = generator.randint(1, 2 + size // 4)
    streets = []
    here = generator.randrange(number)
    for _ in range(generator.randint(0, 2 + size // 2)):
        there = generator.randrange(number)
        streets.append([here, there])
        here = there if generator.random() < 0.9 else generator.randrange(number)
    generator.shuffle(streets)
    return (streets,)


ONE_STROKE = Problem(
    name="one_stroke",
    topic="graphs",
    question="""\
A drawing consists of lines [one, other] between numbered points; several lines may connect the same
points, and a line may lead from a point back to it. Write `solve(lines)`, which tells whether the
drawing can be made in one stroke, that is, without lifting the pen and without drawing a line
twice: it returns "closed" if the stroke can end where it began, "open" if it can only end
elsewhere, and "no" if it is impossible. A drawing without lines is "closed". There are at most 15
lines; the numbers of the points are between 0 and 20.

Example: solve([[0, 1], [1, 2], [2, 0]]) returns "closed"; solve([[0, 1], [2, 3]]) returns
"no".""",
    solutions=(
        """
def solve(lines):
    degrees = {}
    groups = {}
    for one, other in lines:
        for point in (one, other):
            degrees[point] = degrees.get(point, 0) + 1
            groups.setdefault(point, {point})
        if groups[one] is not groups[other]:
            merged = groups[one] | groups[other]
            for point in merged:
                groups[point] = merged
    if len({min(group) for group in groups.values()}) > 1:
        return "no"
    odd = sum(1 for degree in degrees.values() if degree % 2 == 1)
    return {0: "closed", 2: "open"}.get(odd, "no")
""",
        """
def solve(lines):
    if not lines:
        return "closed"
    reached = {lines[0][0]}
    for _ in lines:
        for one, other in lines:
            if one in reached or other in reached:
                reached |= {one, other}
    ends = [point for line in lines for point in line]
    if not reached.issuperset(ends):
        return "no"
    odd = [point for point in reached if ends.count(point) % 2]
    if not odd:
        return "closed"
    return "open" if len(odd) == 2 else "no"
""",
    ),
    make_input=_streets,
    edge_cases=(
        ([],),
        ([[0, 0]],),
        ([[0, 1]],),
        ([[0, 1], [1, 0]],),
        ([[0, 1], [2, 3]],),
        ([[0, 1], [1, 2], [2, 0]],),
        ([[0, 1], [0, 2], [0, 3]],),
        ([[0, 1], [1, 2], [2, 0], [5, 5]],),
        ([[0, 0], [0, 1]],),
    ),
)


def _one_way(generator: random.Random, size: int) -> Arguments:
    number = generator.randint(1, 2 + size // 3)
    streets = [
        [generator.randrange(number), generator.randrange(number)]
        for _ in range(generator.randint(0, number + size // 4))
    ]
    return number, streets


WAYS_BACK = Problem(
    name="ways_back",
    topic="graphs",
    question="""\
Squares of a town are numbered from 0 to num_squares - 1, and connected by one-way streets [origin,
target]. Write `solve(num_squares, streets)`, which returns for each square the smallest number of
streets of a tour that begins and ends there, or 0 if no tour leads back. A street may lead from a
square to itself, which is a tour of length 1. There are 1 to 10 squares and at most 25 streets;
some may occur twice.

Example: solve(4, [[0, 1], [1, 2], [2, 0], [3, 3]]) returns [3, 3, 3, 1]; solve(2, [[0, 1]]) returns
[0, 0].""",
    solutions=(
        """
from collections import deque

def solve(num_squares, streets):
    lengths = []
    for start in range(num_squares):
        distances = {}
        waiting = deque([(start, 0)])
        while waiting:
            here, steps = waiting.popleft()
            for origin, target in streets:
                if origin == here and target not in distances:
                    distances[target] = steps + 1
                    waiting.append((target, steps + 1))
        lengths.append(distances.get(start, 0))
    return lengths
""",
        """
def solve(num_squares, streets):
    far = num_squares + 1
    table = [[far] * num_squares for _ in range(num_squares)]
    for origin, target in streets:
        table[origin][target] = 1
    for middle in range(num_squares):
        for origin in range(num_squares):
            for target in range(num_squares):
                through = table[origin][middle] + table[middle][target]
                table[origin][target] = min(table[origin][target], through)
    return [table[square][square] % far for square in range(num_squares)]
""",
        """
def solve(num_squares, streets):
    lengths = [0] * num_squares
    for start in range(num_squares):
        here = {start}
        for steps in range(1, num_squares + 1):
            here = {target for origin, target in streets if origin in here}
            if start in here:
                lengths[start] = steps
                break
    return lengths
""",
    ),
    make_input=_one_way,
    edge_cases=(
        (1, []),
        (1, [[0, 0]]),
        (2, [[0, 1]]),
        (2, [[0, 1], [1, 0]]),
        (3, [[0, 1], [1, 2], [2, 1]]),
        (4, [[0, 1], [1, 2], [2, 0], [3, 3]]),
        (4, [[0, 1], [1, 2], [2, 3], [3, 0], [2, 0]]),
    ),
)


PROBLEMS = (ONE_STROKE, WAYS_BACK)
