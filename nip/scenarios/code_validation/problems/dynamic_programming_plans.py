"""Problems about dynamic programming: plans and games with a best value."""

import random

from nip.scenarios.code_validation.problems.inputs import random_word
from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _two_texts(generator: random.Random, size: int) -> Arguments:
    first, second = (random_word(generator, "abcd", 0, 1 + size // 2) for _ in range(2))
    return first, second


SHARED_ORDER = Problem(
    name="shared_order",
    topic="dynamic_programming",
    question="""\
Two visitors have written down, with one lowercase letter per room, in which order they went through
a museum. Write `solve(first, second)`, which returns how many rooms there are at most in a sequence
that both went through in the same order, where each of them may have visited other rooms in
between. Both texts have at most 20 letters, may contain a letter several times, and may be empty.

Example: solve("abcbd", "bdcb") returns 3, for the sequence "bcb"; solve("abc", "") returns 0.""",
    solutions=(
        """
def solve(first, second):
    lengths = [0] * (len(second) + 1)
    for room in first:
        before = 0
        for place, other in enumerate(second, 1):
            kept = lengths[place]
            if room == other:
                lengths[place] = before + 1
            else:
                lengths[place] = max(lengths[place], lengths[place - 1])
            before = kept
    return lengths[-1]
""",
        """
from functools import cache

def solve(first, second):
    @cache
    def longest(here, there):
        if here == len(first) or there == len(second):
            return 0
        if first[here] == second[there]:
            return 1 + longest(here + 1, there + 1)
        return max(longest(here + 1, there), longest(here, there + 1))

    return longest(0, 0)
""",
        """
def solve(first, second):
    ends = [-1]
    for room in first:
        for length in range(len(ends) - 1, -1, -1):
            place = second.find(room, ends[length] + 1)
            if place >= 0:
                if length + 1 == len(ends):
                    ends.append(place)
                else:
                    ends[length + 1] = min(ends[length + 1], place)
    return len(ends) - 1
""",
    ),
    make_input=_two_texts,
    edge_cases=(
        ("", ""),
        ("abc", ""),
        ("", "a"),
        ("a", "a"),
        ("ab", "ba"),
        ("aab", "ab"),
        ("abcbd", "bdcb"),
        ("aaa", "aa"),
    ),
)


def _suitcase(generator: random.Random, size: int) -> Arguments:
    number = generator.randint(0 if size < 3 else 1, 1 + size // 2)
    things = [[generator.randint(1, 8), generator.randint(0, 20)] for _ in range(number)]
    return things, generator.randint(0, 5 + size)


SUITCASE = Problem(
    name="suitcase",
    topic="dynamic_programming",
    question="""\
Things with a weight and a value, [weight, value], are packed into a suitcase that may hold at most
`limit` kilograms. Each thing can be packed once. Write `solve(things, limit)`, which returns a list
of the greatest possible total value, and the smallest total weight with which this value can be
reached. There are at most 12 things; weights are integers between 1 and 20, values between 0 and
50, and the limit is between 0 and 60.

Example: solve([[3, 4], [2, 3], [4, 6]], 6) returns [9, 6]; solve([[1, 0]], 5) returns [0, 0].""",
    solutions=(
        """
def solve(things, limit):
    best = [0] * (limit + 1)
    for weight, value in things:
        for load in range(limit, weight - 1, -1):
            best[load] = max(best[load], best[load - weight] + value)
    return [best[limit], best.index(best[limit])]
""",
        """
def solve(things, limit):
    lightest = {0: 0}
    for weight, value in things:
        for total, load in list(lightest.items()):
            new_load = load + weight
            if new_load <= limit and new_load < lightest.get(total + value, limit + 1):
                lightest[total + value] = new_load
    value = max(lightest)
    return [value, lightest[value]]
""",
        """
def solve(things, limit):
    def pack(index, room):
        if index == len(things):
            return (0, 0)
        best = pack(index + 1, room)
        weight, value = things[index]
        if weight <= room:
            rest, load = pack(index + 1, room - weight)
            best = max(best, (rest + value, load - weight))
        return best

    value, load = pack(0, limit)
    return [value, -load]
""",
    ),
    make_input=_suitcase,
    edge_cases=(
        ([], 5),
        ([[1, 0]], 5),
        ([[5, 3]], 5),
        ([[5, 3]], 4),
        ([[3, 4], [2, 3], [4, 6]], 6),
        ([[2, 5], [3, 5]], 4),
        ([[1, 1], [1, 1]], 0),
    ),
)


def _tiles(generator: random.Random, size: int) -> Arguments:
    lengths = generator.sample(range(1, 6), generator.randint(1, 3))
    return generator.randint(0, 2 + size), lengths


VARIED_TILES = Problem(
    name="varied_tiles",
    topic="dynamic_programming",
    question="""\
A row of `width` squares is covered with tiles that lie one behind the other without gaps. There are
arbitrarily many tiles of each of the given lengths, but two neighbouring tiles must not be of the
same length. Write `solve(width, lengths)`, which returns in how many ways the row can be covered;
the order of the tiles matters. For the width 0 there is one way, without a tile. The width is
between 0 and 30, and there are 1 to 4 different lengths between 1 and 10.

Example: solve(3, [1, 2]) returns 2; solve(4, [1, 2]) returns 1; solve(4, [2]) returns 0.""",
    solutions=(
        """
from functools import cache

def solve(width, lengths):
    @cache
    def count(rest, last):
        if rest == 0:
            return 1
        return sum(
            count(rest - length, length)
            for length in lengths
            if length != last and length <= rest
        )

    return count(width, 0)
""",
        """
def solve(width, lengths):
    ways = [{0: 1}]
    for covered in range(1, width + 1):
        ending = {}
        for length in lengths:
            if length <= covered:
                before = ways[covered - length]
                ending[length] = sum(before.values()) - before.get(length, 0)
        ways.append(ending)
    return sum(ways[width].values())
""",
    ),
    make_input=_tiles,
    edge_cases=(
        (0, [1]),
        (1, [1]),
        (2, [1]),
        (1, [2]),
        (3, [1, 2]),
        (4, [1, 2]),
        (4, [2]),
        (6, [1, 2, 3]),
    ),
)


def _coins(generator: random.Random, size: int) -> Arguments:
    return ([generator.randint(0, 9) for _ in range(generator.randint(0, 1 + size // 2))],)


COINS_FROM_THE_ENDS = Problem(
    name="coins_from_the_ends",
    topic="dynamic_programming",
    question="""\
Coins lie in a row. Two players take turns; whoever's turn it is takes one coin from the left or
from the right end, until no coin is left. Both play so that their own total becomes as great as
possible. Write `solve(coins)`, which returns by how much the total of the player who begins exceeds
that of the other one; it is negative if it is smaller. There are at most 12 coins, given by their
values, which are integers between 0 and 100.

Example: solve([3, 9, 1, 2]) returns 7; solve([1, 5, 1]) returns -3.""",
    solutions=(
        """
def solve(coins):
    leads = [0] * (len(coins) + 1)
    for length in range(1, len(coins) + 1):
        leads = [
            max(coins[start] - leads[start + 1], coins[start + length - 1] - leads[start])
            for start in range(len(coins) - length + 1)
        ]
    return leads[0]
""",
        """
from functools import cache

def solve(coins):
    @cache
    def lead(left, right):
        if left > right:
            return 0
        return max(coins[left] - lead(left + 1, right), coins[right] - lead(left, right - 1))

    return lead(0, len(coins) - 1)
""",
        """
def solve(coins):
    if not coins:
        return 0
    take_left = coins[0] - solve(coins[1:])
    take_right = coins[-1] - solve(coins[:-1])
    return take_left if take_left > take_right else take_right
""",
    ),
    make_input=_coins,
    edge_cases=(([],), ([5],), ([2, 7],), ([1, 5, 1],), ([3, 9, 1, 2],), ([5, 5, 5, 5],)),
)


PROBLEMS = (SHARED_ORDER, SUITCASE, VARIED_TILES, COINS_FROM_THE_ENDS)
