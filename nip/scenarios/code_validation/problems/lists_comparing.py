"""Problems about lists: ranks, orders, and what several lists have in common."""

import random

from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _scores(generator: random.Random, size: int) -> Arguments:
    bound = generator.choice((2, 5, 30))
    return ([generator.randint(-bound, bound) for _ in range(generator.randint(0, size))],)


SHARED_RANKS = Problem(
    name="shared_ranks",
    topic="lists",
    question="""\
Write `solve(scores)`, which returns the rank of each player, in the order of the scores. The
highest score has rank 1; equal scores share the better rank, and the ranks that they take up
together are then left out: two players who share rank 1 are followed by rank 3. There are at most
100 scores, integers between -1000 and 1000.

Example: solve([10, 30, 20, 30]) returns [4, 1, 3, 1].""",
    solutions=(
        """
def solve(scores):
    rank_of = {}
    for rank, score in enumerate(sorted(scores, reverse=True), start=1):
        if score not in rank_of:
            rank_of[score] = rank
    return [rank_of[score] for score in scores]
""",
        """
def solve(scores):
    ranks = []
    for score in scores:
        better = 0
        for other in scores:
            if other > score:
                better += 1
        ranks.append(better + 1)
    return ranks
""",
        """
from bisect import bisect_right

def solve(scores):
    ordered = sorted(scores)
    ranks = []
    for score in scores:
        ranks.append(len(ordered) - bisect_right(ordered, score) + 1)
    return ranks
""",
        """
def solve(scores):
    order = sorted(range(len(scores)), key=lambda player: -scores[player])
    ranks = [0] * len(scores)
    for place, player in enumerate(order):
        ranks[player] = place + 1
        if place > 0:
            previous = order[place - 1]
            if scores[previous] == scores[player]:
                ranks[player] = ranks[previous]
    return ranks
""",
    ),
    make_input=_scores,
    edge_cases=(
        ([],),
        ([0],),
        ([5, 5, 5],),
        ([1, 2],),
        ([2, 1],),
        ([10, 30, 20, 30],),
        ([-1, -1, -2, 0, 0],),
    ),
)


def _shuffled(generator: random.Random, size: int) -> Arguments:
    values = [generator.randint(0, 3 + size) for _ in range(generator.randint(0, size))]
    if generator.random() < 0.3:
        values.sort(reverse=generator.random() < 0.5)
    return (values,)


NEIGHBOUR_SWAPS = Problem(
    name="neighbour_swaps",
    topic="lists",
    question="""\
Books stand on a shelf, each with a number on its back. Write `solve(books)`, which returns the
smallest number of swaps of two neighbouring books after which the numbers ascend from left to
right; equal numbers may stand in any order. There are at most 100 books with numbers from 0 to
1000.

Example: solve([3, 1, 2]) returns 2; solve([2, 2, 1]) returns 2.""",
    solutions=(
        """
def solve(books):
    books = list(books)
    swaps = 0
    for end in range(len(books) - 1, 0, -1):
        for place in range(end):
            if books[place] > books[place + 1]:
                books[place], books[place + 1] = books[place + 1], books[place]
                swaps += 1
    return swaps
""",
        """
def solve(books):
    def sort_and_count(part):
        if len(part) < 2:
            return part, 0
        middle = len(part) // 2
        left, left_swaps = sort_and_count(part[:middle])
        right, right_swaps = sort_and_count(part[middle:])
        merged = []
        swaps = left_swaps + right_swaps
        i = j = 0
        while i < len(left) and j < len(right):
            if left[i] <= right[j]:
                merged.append(left[i])
                i += 1
            else:
                merged.append(right[j])
                j += 1
                swaps += len(left) - i
        return merged + left[i:] + right[j:], swaps

    return sort_and_count(books)[1]
""",
        """
from bisect import bisect_right

def solve(books):
    seen = []
    swaps = 0
    for number in books:
        place = bisect_right(seen, number)
        swaps += len(seen) - place
        seen.insert(place, number)
    return swaps
""",
    ),
    make_input=_shuffled,
    edge_cases=(
        ([],),
        ([4],),
        ([1, 1],),
        ([2, 1],),
        ([5, 4, 3, 2, 1],),
        ([2, 2, 1],),
        ([1, 3, 2, 3, 1],),
    ),
)


def _shelves(generator: random.Random, size: int) -> Arguments:
    shelves = []
    for _ in range(generator.randint(0, 1 + size // 4)):
        length = generator.randint(0, 1 + size // 3)
        shelves.append(sorted(generator.randint(0, 4 + size // 2) for _ in range(length)))
    return shelves, generator.randint(1, 3)


WIDELY_STOCKED = Problem(
    name="widely_stocked",
    topic="lists",
    question="""\
Shops list the numbers of the articles that they stock, each list in ascending order; a number that
appears several times in a list still means one shop. Write `solve(shops, needed)`, which returns,
in ascending order and each once, the numbers stocked by at least `needed` shops, where `needed` is
at least 1. There are at most 20 lists of at most 50 numbers between 0 and 1000; lists may be empty.

Example: solve([[1, 2, 2], [2, 3], [3, 3, 5]], 2) returns [2, 3].""",
    solutions=(
        """
from collections import Counter

def solve(shops, needed):
    counts = Counter()
    for articles in shops:
        counts.update(set(articles))
    return sorted(number for number, count in counts.items() if count >= needed)
""",
        """
from heapq import merge
from itertools import groupby

def solve(shops, needed):
    stocked = []
    cleaned = [[number for number, _ in groupby(articles)] for articles in shops]
    for number, copies in groupby(merge(*cleaned)):
        if sum(1 for _ in copies) >= needed:
            stocked.append(number)
    return stocked
""",
        """
def solve(shops, needed):
    places = [0] * len(shops)
    result = []
    while True:
        heads = [
            shops[shop][places[shop]]
            for shop in range(len(shops))
            if places[shop] < len(shops[shop])
        ]
        if not heads:
            return result
        smallest = min(heads)
        if heads.count(smallest) >= needed:
            result.append(smallest)
        for shop, articles in enumerate(shops):
            while places[shop] < len(articles) and articles[places[shop]] == smallest:
                places[shop] += 1
""",
    ),
    make_input=_shelves,
    edge_cases=(
        ([], 1),
        ([[]], 1),
        ([[1, 1, 1]], 1),
        ([[1, 1, 1]], 2),
        ([[1, 2, 2], [2, 3], [3, 3, 5]], 2),
        ([[4], [4], [4]], 3),
        ([[0, 7], [], [7]], 2),
    ),
)


def _wishes(generator: random.Random, size: int) -> Arguments:
    length = generator.randint(0, size // 2)
    old = [generator.randint(0, 5 + size // 3) for _ in range(length)]
    new = list(old)
    generator.shuffle(new)
    for _ in range(generator.randint(0, 2)):
        if new and generator.random() < 0.6:
            new.pop()
        else:
            new.insert(generator.randint(0, len(new)), generator.randint(0, 5 + size // 3))
    return old, new


STOCK_CHANGES = Problem(
    name="stock_changes",
    topic="lists",
    question="""\
A stock is a list of article numbers, in which a number appears as often as there are pieces of the
article. Write `solve(old, new)`, which returns how one gets from the old stock to the new one: a
list of lists of two integers, a number and by how much its pieces increased (negative if they
decreased), in ascending order of the numbers, only for those whose pieces changed. Both stocks are
in any order and have at most 50 pieces with numbers between 0 and 1000.

Example: solve([5, 3, 5], [3, 5, 9]) returns [[5, -1], [9, 1]].""",
    solutions=(
        """
def solve(old, new):
    change = {}
    for number in new:
        change[number] = change.get(number, 0) + 1
    for number in old:
        change[number] = change.get(number, 0) - 1
    return [[number, change[number]] for number in sorted(change) if change[number] != 0]
""",
        """
def solve(old, new):
    changes = []
    for number in sorted(set(old) | set(new)):
        difference = new.count(number) - old.count(number)
        if difference:
            changes.append([number, difference])
    return changes
""",
        """
def solve(old, new):
    old = sorted(old)
    new = sorted(new)
    changes = []
    while old or new:
        number = min(old[:1] + new[:1])
        difference = 0
        while new and new[0] == number:
            new.pop(0)
            difference += 1
        while old and old[0] == number:
            old.pop(0)
            difference -= 1
        if difference != 0:
            changes.append([number, difference])
    return changes
""",
    ),
    make_input=_wishes,
    edge_cases=(
        ([], []),
        ([], [2, 2]),
        ([2, 2], []),
        ([1, 2, 3], [3, 1, 2]),
        ([5, 3, 5], [3, 5, 9]),
        ([0], [0, 0, 0]),
    ),
)

PROBLEMS = (SHARED_RANKS, NEIGHBOUR_SWAPS, WIDELY_STOCKED, STOCK_CHANGES)
