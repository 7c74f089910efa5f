"""Problems about lists: choosing and counting elements."""

import random

from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _difference(generator: random.Random, size: int) -> Arguments:
    values = [generator.randint(-6, 6 + size // 2) for _ in range(generator.randint(0, 2 + size))]
    return values, generator.randint(0, 4)


PAIRS_AT_DISTANCE = Problem(
    name="pairs_at_distance",
    topic="lists",
    question="""\
Write `solve(values, distance)`, which returns how many different pairs of numbers in a list differ
by exactly a distance. A pair is counted once, however often its numbers occur in the list. For the
distance 0 the two are equal, and the number must occur at least twice. The list has at most 50
integers between -1000 and 1000; the distance is between 0 and 1000.

Example: solve([1, 3, 3, 5], 2) returns 2; solve([1, 3, 3, 3], 0) returns 1.""",
    solutions=(
        """
from collections import Counter

def solve(values, distance):
    counts = Counter(values)
    if distance == 0:
        return sum(1 for count in counts.values() if count > 1)
    return sum(1 for value in counts if value + distance in counts)
""",
        """
def solve(values, distance):
    pairs = set()
    for first in range(len(values)):
        for second in range(first):
            low, high = sorted((values[first], values[second]))
            if high - low == distance:
                pairs.add((low, high))
    return len(pairs)
""",
        """
def solve(values, distance):
    ordered = sorted(values)
    left, right, found = 0, 1, 0
    while right < len(ordered):
        gap = ordered[right] - ordered[left]
        if gap < distance or left == right:
            right += 1
        elif gap > distance:
            left += 1
        else:
            found += 1
            done = ordered[left]
            while left < len(ordered) and ordered[left] == done:
                left += 1
            right = max(right, left)
    return found
""",
    ),
    make_input=_difference,
    edge_cases=(
        ([], 0),
        ([1], 0),
        ([1, 1], 0),
        ([1, 1, 1], 0),
        ([1, 3, 3, 5], 2),
        ([5, 3, 1], 2),
        ([-1, 1], 2),
        ([1, 2, 3], 3),
    ),
)


def _windows(generator: random.Random, size: int) -> Arguments:
    values = [generator.randint(0, 20) for _ in range(generator.randint(0, 2 + size))]
    return values, generator.randint(1, 2 + size // 4)


MOVING_MEDIANS = Problem(
    name="moving_medians",
    topic="lists",
    question="""\
The median of an odd number of values is the one in the middle when they are sorted; of an even
number of values, here it is the smaller of the two in the middle. Write `solve(values, width)`,
which returns the median of each `width` neighbouring values of a list, from left to right. A list
with fewer values gives []. There are at most 40 integers, and the width is between 1 and 10.

Example: solve([5, 1, 4, 2], 3) returns [4, 2]; solve([5, 1, 4, 2], 2) returns [1, 1, 2].""",
    solutions=(
        """
def solve(values, width):
    medians = []
    for start in range(len(values) - width + 1):
        window = sorted(values[start:start + width])
        medians.append(window[(width - 1) // 2])
    return medians
""",
        """
from bisect import bisect_left, insort

def solve(values, width):
    window = []
    medians = []
    for place, value in enumerate(values):
        insort(window, value)
        if len(window) > width:
            window.pop(bisect_left(window, values[place - width]))
        if len(window) == width:
            medians.append(window[(width - 1) // 2])
    return medians
""",
    ),
    make_input=_windows,
    edge_cases=(
        ([], 1),
        ([3], 1),
        ([3], 2),
        ([5, 1, 4, 2], 3),
        ([5, 1, 4, 2], 2),
        ([1, 1, 2, 2], 4),
        ([3, 2, 1], 3),
    ),
)


def _multiples(generator: random.Random, size: int) -> Arguments:
    step = generator.randint(1, 4)
    top = 2 + size // 2
    values = [step * number for number in range(1, top) if generator.random() < 0.85]
    values += [generator.randint(-5, 20) for _ in range(generator.randint(0, 2 + size // 4))]
    generator.shuffle(values)
    return values, step


FREE_LOCKER = Problem(
    name="free_locker",
    topic="lists",
    question="""\
Lockers are numbered 1, 2, 3, and so on. A guest takes the free locker with the smallest number that
is a multiple of `step`. Write `solve(taken, step)`, which returns the number of this locker.
`taken` lists the lockers that are not free, in any order; it may contain a number twice, as well as
numbers below 1, which are no lockers and have no meaning. It has at most 50 numbers, and the step
is between 1 and 10.

Example: solve([4, 2, 7], 2) returns 6; solve([2, 3], 1) returns 1.""",
    solutions=(
        """
def solve(taken, step):
    locker = step
    while locker in taken:
        locker += step
    return locker
""",
        """
def solve(taken, step):
    locker = step
    for number in sorted(taken):
        if number == locker:
            locker += step
        elif number > locker:
            break
    return locker
""",
        """
from itertools import count

def solve(taken, step):
    occupied = {number // step for number in taken if number % step == 0}
    return step * next(place for place in count(1) if place not in occupied)
""",
    ),
    make_input=_multiples,
    edge_cases=(
        ([], 1),
        ([], 3),
        ([1], 1),
        ([2, 3], 1),
        ([1, 1, 2, 2], 1),
        ([4, 2, 7], 2),
        ([0, -3, 3], 3),
        ([3, 2, 1], 1),
    ),
)


def _talks(generator: random.Random, size: int) -> Arguments:
    talks = []
    for _ in range(generator.randint(0, 1 + size // 2)):
        start = generator.randint(0, 10 + size)
        talks.append([start, start + generator.randint(1, 6)])
    return (talks,)


ROOMS_NEEDED = Problem(
    name="rooms_needed",
    topic="lists",
    question="""\
At a conference each talk has a begin and an end, [begin, end] in hours with begin < end. Two talks
cannot share a room if they overlap, but one may begin in the hour in which another ends. Write
`solve(talks)`, which returns a list of the smallest number of rooms that are needed, and the first
hour at which so many talks are going on. Without talks it is [0, 0]. There are at most 30 talks, in
any order, between the hours 0 and 100.

Example: solve([[1, 4], [2, 5], [4, 6]]) returns [2, 2]; solve([[3, 4]]) returns [1, 3].""",
    solutions=(
        """
def solve(talks):
    best = [0, 0]
    for hour in range(101):
        running = sum(1 for begin, end in talks if begin <= hour < end)
        if running > best[0]:
            best = [running, hour]
    return best
""",
        """
def solve(talks):
    changes = []
    for begin, end in talks:
        changes.append((begin, 1))
        changes.append((end, -1))
    changes.sort()
    running = 0
    rooms, hour = 0, 0
    for time, change in changes:
        running += change
        if running > rooms:
            rooms, hour = running, time
    return [rooms, hour]
""",
        """
from heapq import heappop, heappush

def solve(talks):
    ends = []
    rooms, hour = 0, 0
    for begin, end in sorted(talks):
        while ends and ends[0] <= begin:
            heappop(ends)
        heappush(ends, end)
        if len(ends) > rooms:
            rooms, hour = len(ends), begin
    return [rooms, hour]
""",
    ),
    make_input=_talks,
    edge_cases=(
        ([],),
        ([[0, 1]],),
        ([[3, 4]],),
        ([[1, 4], [2, 5], [4, 6]],),
        ([[1, 2], [2, 3]],),
        ([[5, 9], [1, 9], [1, 2]],),
        ([[1, 3], [1, 3], [1, 3]],),
    ),
)


PROBLEMS = (PAIRS_AT_DISTANCE, MOVING_MEDIANS, FREE_LOCKER, ROOMS_NEEDED)
