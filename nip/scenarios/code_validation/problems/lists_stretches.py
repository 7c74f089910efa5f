"""Problems about lists: stretches of neighbouring elements, and what they add up to."""

import random

from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _bookings(generator: random.Random, size: int) -> Arguments:
    bookings = []
    for _ in range(generator.randint(0, 1 + size // 2)):
        begin = generator.randint(0, 3 + 2 * size)
        bookings.append([begin, begin + generator.randint(1, 1 + size // 3)])
    if bookings and generator.random() < 0.3:
        bookings.append(list(generator.choice(bookings)))
    return (bookings,)


MERGED_BOOKINGS = Problem(
    name="merged_bookings",
    topic="lists",
    question="""\
A hall keeps its bookings as lists of two integers, the hour in which one begins and the hour in
which it ends, with 0 <= begin < end <= 100. Write `solve(bookings)`, which returns the periods in
which the hall is in use, in the same form, from early to late: bookings that overlap, or of which
one begins in the very hour in which the other ends, become one period. There are at most 50
bookings, in any order, and one may appear several times; none gives [].

Example: solve([[5, 7], [1, 3], [3, 4]]) returns [[1, 4], [5, 7]].""",
    solutions=(
        """
def solve(bookings):
    periods = []
    for begin, end in sorted(bookings):
        if periods and begin <= periods[-1][1]:
            periods[-1][1] = max(periods[-1][1], end)
        else:
            periods.append([begin, end])
    return periods
""",
        """
def solve(bookings):
    in_use = [False] * 102
    for begin, end in bookings:
        for hour in range(begin, end):
            in_use[hour] = True
    periods = []
    start = None
    for hour in range(102):
        if in_use[hour] and start is None:
            start = hour
        elif not in_use[hour] and start is not None:
            periods.append([start, hour])
            start = None
    return periods
""",
        """
def solve(bookings):
    changes = []
    for begin, end in bookings:
        changes.append((begin, 0))
        changes.append((end, 1))
    changes.sort()
    periods = []
    running = 0
    for hour, kind in changes:
        if kind == 0:
            if running == 0:
                periods.append([hour])
            running += 1
        else:
            running -= 1
            if running == 0:
                periods[-1].append(hour)
    return periods
""",
    ),
    make_input=_bookings,
    edge_cases=(
        ([],),
        ([[0, 100]],),
        ([[1, 2], [2, 3]],),
        ([[1, 2], [3, 4]],),
        ([[0, 9], [2, 3], [4, 5]],),
        ([[4, 6], [4, 6], [3, 5]],),
        ([[99, 100], [0, 1]],),
    ),
)


def _readings(generator: random.Random, size: int) -> Arguments:
    value = generator.randint(-5, 5)
    readings = []
    for _ in range(generator.randint(0, size)):
        value += generator.choice((-3, -1, -1, 0, 0, 1, 1, 3))
        readings.append(value)
    return readings, generator.randint(0, 4)


STEADY_STRETCH = Problem(
    name="steady_stretch",
    topic="lists",
    question="""\
Write `solve(readings, tolerance)`, which looks for the longest stretch of consecutive readings
whose highest and lowest differ by at most `tolerance`. Return a list of two integers: the position
at which it begins and its length; of several equally long stretches the first counts. The readings
are at most 200 integers between -1000 and 1000, and the tolerance is 0 or more. Without readings,
return [0, 0].

Example: solve([4, 1, 2, 3, 5], 2) returns [1, 3].""",
    solutions=(
        """
def solve(readings, tolerance):
    best_start = 0
    best_length = 0
    for start in range(len(readings)):
        lowest = highest = readings[start]
        length = 0
        for value in readings[start:]:
            lowest = min(lowest, value)
            highest = max(highest, value)
            if highest - lowest > tolerance:
                break
            length += 1
        if length > best_length:
            best_start = start
            best_length = length
    return [best_start, best_length]
""",
        """
from collections import deque

def solve(readings, tolerance):
    rising = deque()
    falling = deque()
    start = 0
    best = [0, 0]
    for end, value in enumerate(readings):
        while rising and readings[rising[-1]] >= value:
            rising.pop()
        rising.append(end)
        while falling and readings[falling[-1]] <= value:
            falling.pop()
        falling.append(end)
        while readings[falling[0]] - readings[rising[0]] > tolerance:
            start += 1
            if rising[0] < start:
                rising.popleft()
            if falling[0] < start:
                falling.popleft()
        if end - start + 1 > best[1]:
            best = [start, end - start + 1]
    return best
""",
        """
from bisect import bisect_left, insort

def solve(readings, tolerance):
    window = []
    best = [0, 0]
    start = 0
    for end in range(len(readings)):
        insort(window, readings[end])
        while window[-1] - window[0] > tolerance:
            del window[bisect_left(window, readings[start])]
            start += 1
        if len(window) > best[1]:
            best = [start, len(window)]
    return best
""",
    ),
    make_input=_readings,
    edge_cases=(
        ([], 3),
        ([7], 0),
        ([1, 2], 0),
        ([1, 2], 1),
        ([2, 2, 3, 3], 0),
        ([5, 1, 5, 1, 5], 4),
        ([-4, -2, 0, 2], 4),
    ),
)


def _balanced(generator: random.Random, size: int) -> Arguments:
    values = [generator.randint(-3, 3) for _ in range(generator.randint(0, size))]
    if values and generator.random() < 0.7:
        place = generator.randint(0, len(values))
        values.insert(place, sum(values[:place]) - sum(values[place:]))
    return (values,)


BALANCED_CUTS = Problem(
    name="balanced_cuts",
    topic="lists",
    question="""\
A list of n integers can be cut at a position from 0 (before its first element) to n (after its
last). Write `solve(values)`, which returns, in ascending order, all positions at which the part
before the cut and the part after it have the same sum; the sum of no elements is 0. There are at
most 100 values between -1000 and 1000. An empty list has one position, 0, which counts.

Example: solve([1, 2, 3]) returns [2]; solve([0, 5]) returns []; solve([2, -2]) returns [0, 2].""",
    solutions=(
        """
def solve(values):
    total = sum(values)
    before = 0
    positions = []
    if total == 0:
        positions.append(0)
    for position, value in enumerate(values, start=1):
        before += value
        if 2 * before == total:
            positions.append(position)
    return positions
""",
        """
def solve(values):
    return [
        position
        for position in range(len(values) + 1)
        if sum(values[:position]) == sum(values[position:])
    ]
""",
        """
def solve(values):
    remaining = list(values)
    left = 0
    right = sum(values)
    found = []
    while True:
        if left == right:
            found.append(len(values) - len(remaining))
        if not remaining:
            return found
        moved = remaining.pop(0)
        left += moved
        right -= moved
""",
    ),
    make_input=_balanced,
    edge_cases=(
        ([],),
        ([0],),
        ([4],),
        ([3, 3],),
        ([0, 0, 0],),
        ([1, -1, 1, -1],),
        ([-2, 1, -1],),
    ),
)


def _heights(generator: random.Random, size: int) -> Arguments:
    highest = generator.choice((2, 4, 9))
    return ([generator.randint(1, highest) for _ in range(generator.randint(0, size))],)


VISIBLE_PAIRS = Problem(
    name="visible_pairs",
    topic="lists",
    question="""\
People of given heights stand in a row. Two of them see each other if everybody between them is
shorter than both; neighbours always do. Write `solve(heights)`, which returns the number of pairs
that see each other. There are at most 100 people, with heights between 1 and 250.

Example: solve([3, 1, 3, 2]) returns 4: all three pairs of neighbours, and the two of height 3.""",
    solutions=(
        """
def solve(heights):
    waiting = []
    pairs = 0
    for height in heights:
        while waiting and waiting[-1] < height:
            waiting.pop()
            pairs += 1
        if waiting:
            pairs += 1
            if waiting[-1] == height:
                waiting.pop()
        waiting.append(height)
    return pairs
""",
        """
def solve(heights):
    pairs = 0
    for left in range(len(heights)):
        tallest = 0
        for right in range(left + 1, len(heights)):
            if tallest < min(heights[left], heights[right]):
                pairs += 1
            tallest = max(tallest, heights[right])
            if tallest >= heights[left]:
                break
    return pairs
""",
        """
from itertools import combinations

def solve(heights):
    count = 0
    for left, right in combinations(range(len(heights)), 2):
        lower = min(heights[left], heights[right])
        if all(height < lower for height in heights[left + 1:right]):
            count += 1
    return count
""",
    ),
    make_input=_heights,
    edge_cases=(
        ([],),
        ([5],),
        ([5, 5],),
        ([2, 2, 2, 2],),
        ([1, 2, 3, 4],),
        ([4, 3, 2, 1],),
        ([3, 1, 2, 3],),
    ),
)


def _votes(generator: random.Random, size: int) -> Arguments:
    names = ["ash", "birch", "cedar", "elm", "fir"][: generator.randint(1, 5)]
    votes = [generator.choice(names) for _ in range(generator.randint(0, size))]
    return votes, generator.randint(1, 5)


STRONG_CANDIDATES = Problem(
    name="strong_candidates",
    topic="lists",
    question="""\
Votes are given as a list of names. Write `solve(votes, parts)`, which returns the names that got
more than one vote in `parts`, that is, more than len(votes) / parts votes, in the order in which
they first appear among the votes. There are at most 100 votes, and `parts` is an integer between 1
and 10. Since nobody can get more than all votes, `parts` of 1 gives [].

Example: solve(["elm", "ash", "elm", "fir"], 3) returns ["elm"]; with parts of 4 instead of 3 it is
["elm"] as well, since exactly one vote in four is not enough for the others.""",
    solutions=(
        """
from collections import Counter

def solve(votes, parts):
    counts = Counter(votes)
    return [name for name, count in counts.items() if count * parts > len(votes)]
""",
        """
def solve(votes, parts):
    strong = []
    for place, name in enumerate(votes):
        if name in votes[:place]:
            continue
        if votes.count(name) > len(votes) / parts:
            strong.append(name)
    return strong
""",
        """
from itertools import groupby

def solve(votes, parts):
    enough = len(votes) // parts + 1
    found = []
    for name, group in groupby(sorted(votes)):
        if len(list(group)) >= enough:
            found.append((votes.index(name), name))
    found.sort()
    return [name for _, name in found]
""",
    ),
    make_input=_votes,
    edge_cases=(
        ([], 2),
        (["ash"], 1),
        (["ash"], 2),
        (["ash", "elm"], 2),
        (["fir", "ash", "fir"], 2),
        (["fir", "ash", "ash", "fir"], 3),
        (["elm", "ash", "elm", "fir"], 4),
    ),
)

PROBLEMS = (MERGED_BOOKINGS, STEADY_STRETCH, BALANCED_CUTS, VISIBLE_PAIRS, STRONG_CANDIDATES)
