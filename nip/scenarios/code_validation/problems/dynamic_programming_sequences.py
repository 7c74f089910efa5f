"""Problems about dynamic programming: sequences that are gone through, compared or divided."""

import random

from nip.scenarios.code_validation.problems.inputs import random_word
from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _values(generator: random.Random, size: int) -> Arguments:
    bound = generator.choice((2, 4, 10))
    return ([generator.randint(-bound, bound) for _ in range(generator.randint(0, size))],)


LONGEST_ZIGZAG = Problem(
    name="longest_zigzag",
    topic="dynamic_programming",
    question="""\
A sequence of numbers is a zigzag if it rises and falls by turns: each number after the first is
greater or less than the one before it, never equal, and no two rises and no two falls follow each
other. One number alone is a zigzag, and so are two different ones. Write `solve(values)`, which
returns how many of the values can be kept at most, in their order, such that they form a zigzag.
There are at most 60 integers between -1000 and 1000; of none, 0 can be kept.

Example: solve([1, 2, 3, 2, 2, 5]) returns 4; solve([7, 7]) returns 1.""",
    solutions=(
        """
def solve(values):
    if not values:
        return 0
    rising = falling = 1
    for before, after in zip(values, values[1:]):
        if after > before:
            rising = falling + 1
        elif after < before:
            falling = rising + 1
    return max(rising, falling)
""",
        """
def solve(values):
    up = []
    down = []
    for last, value in enumerate(values):
        up.append(1)
        down.append(1)
        for previous in range(last):
            if values[previous] < value:
                up[last] = max(up[last], down[previous] + 1)
            if values[previous] > value:
                down[last] = max(down[last], up[previous] + 1)
    return max(up + down, default=0)
""",
        """
def solve(values):
    kept = 0
    direction = 0
    previous = None
    for value in values:
        if previous is None:
            kept = 1
        elif value != previous:
            turn = 1 if value > previous else -1
            if turn != direction:
                kept += 1
                direction = turn
        previous = value
    return kept
""",
    ),
    make_input=_values,
    edge_cases=(
        ([],),
        ([3],),
        ([7, 7],),
        ([1, 2],),
        ([1, 2, 3, 4],),
        ([1, 2, 3, 2, 2, 5],),
        ([5, 1, 5, 1],),
        ([0, 0, -1, -1, 0],),
    ),
)


def _versions(generator: random.Random, size: int) -> Arguments:
    first = random_word(generator, "abc", 0, 1 + size // 3)
    second = first
    for _ in range(generator.randint(0, 3)):
        place = generator.randint(0, len(second))
        added = random_word(generator, "abc", 0, 2)
        second = second[:place] + added + second[place + generator.randint(0, 2) :]
    return first, second, generator.randint(1, 4), generator.randint(1, 4), generator.randint(1, 8)


CHANGE_COST = Problem(
    name="change_cost",
    topic="dynamic_programming",
    question="""\
An engraver changes an inscription. Adding one letter anywhere costs `add`, removing one letter
costs `remove`, and turning a letter into another one costs `turn`; letters that stay cost nothing.
Write `solve(old, new, add, remove, turn)`, which returns the smallest total cost of changing the
text `old` into the text `new`. Both texts have at most 20 lowercase letters and may be empty; the
costs are integers between 1 and 100, and turning a letter may cost more than removing it and adding
the other.

Example: solve("cart", "cut", 2, 3, 4) returns 7; with 9 for turning a letter it is 8:
solve("cart", "cut", 2, 3, 9) returns 8.""",
    solutions=(
        """
def solve(old, new, add, remove, turn):
    row = [add * length for length in range(len(new) + 1)]
    for letter in old:
        diagonal = row[0]
        row[0] += remove
        for place, wanted in enumerate(new, start=1):
            change = diagonal + (0 if letter == wanted else turn)
            diagonal = row[place]
            row[place] = min(change, row[place] + remove, row[place - 1] + add)
    return row[-1]
""",
        """
from functools import cache

def solve(old, new, add, remove, turn):
    @cache
    def cost(i, j):
        if i == 0:
            return j * add
        if j == 0:
            return i * remove
        if old[i - 1] == new[j - 1]:
            return cost(i - 1, j - 1)
        return min(
            cost(i, j - 1) + add,
            cost(i - 1, j) + remove,
            cost(i - 1, j - 1) + turn,
        )

    return cost(len(old), len(new))
""",
        """
import heapq

def solve(old, new, add, remove, turn):
    queue = [(0, 0, 0)]
    done = set()
    while True:
        cost, i, j = heapq.heappop(queue)
        if i == len(old) and j == len(new):
            return cost
        if (i, j) in done:
            continue
        done.add((i, j))
        if i < len(old):
            heapq.heappush(queue, (cost + remove, i + 1, j))
        if j < len(new):
            heapq.heappush(queue, (cost + add, i, j + 1))
        if i < len(old) and j < len(new):
            price = 0 if old[i] == new[j] else turn
            heapq.heappush(queue, (cost + price, i + 1, j + 1))
""",
    ),
    make_input=_versions,
    edge_cases=(
        ("", "", 1, 1, 1),
        ("", "ab", 2, 3, 4),
        ("ab", "", 2, 3, 4),
        ("a", "b", 2, 3, 4),
        ("a", "b", 2, 3, 9),
        ("cart", "cut", 2, 3, 4),
        ("abc", "bca", 1, 1, 1),
    ),
)


def _weights(generator: random.Random, size: int) -> Arguments:
    largest = generator.choice((5, 12, 30))
    return ([generator.randint(1, largest) for _ in range(generator.randint(0, 1 + size // 3))],)


FAIREST_SHARING = Problem(
    name="fairest_sharing",
    topic="dynamic_programming",
    question="""\
Two people share out all of some parcels, each parcel going to one of them as a whole. Write
`solve(weights)`, which returns the smallest possible difference between the total weights that they
carry. There are at most 12 parcels with integer weights between 1 and 100; without parcels the
difference is 0.

Example: solve([3, 1, 4, 2, 2]) returns 0; solve([5, 1, 1]) returns 3.""",
    solutions=(
        """
def solve(weights):
    total = sum(weights)
    reachable = 1
    for weight in weights:
        reachable |= reachable << weight
    for half in range(total // 2, -1, -1):
        if reachable >> half & 1:
            return total - 2 * half
""",
        """
def solve(weights):
    differences = {0}
    for weight in weights:
        following = set()
        for difference in differences:
            following.add(difference + weight)
            following.add(abs(difference - weight))
        differences = following
    return min(differences)
""",
        """
def solve(weights):
    total = sum(weights)
    possible = [True] + [False] * total
    for weight in weights:
        for amount in range(total, weight - 1, -1):
            if possible[amount - weight]:
                possible[amount] = True
    best = total
    for amount in range(total + 1):
        if possible[amount]:
            best = min(best, abs(total - 2 * amount))
    return best
""",
    ),
    make_input=_weights,
    edge_cases=(
        ([],),
        ([9],),
        ([4, 4],),
        ([5, 1, 1],),
        ([3, 1, 4, 2, 2],),
        ([100, 100, 100],),
        ([7, 6, 5, 5, 5],),
    ),
)


def _sand(generator: random.Random, size: int) -> Arguments:
    return ([generator.randint(0, 9) for _ in range(generator.randint(0, 1 + size // 3))],)


JOINED_PILES = Problem(
    name="joined_piles",
    topic="dynamic_programming",
    question="""\
Piles of sand lie in a row. One pile may be joined with a neighbouring one, which takes as many
minutes as the two weigh together; the joined pile, of that weight, takes their place in the row.
Write `solve(piles)`, which returns the smallest number of minutes in which all piles can be made
into one. The weights are integers between 0 and 100, and there are at most 12 of them; with fewer
than two piles nothing is to be done, and the answer is 0.

Example: solve([1, 2, 3]) returns 9; solve([4, 1, 1, 4]) returns 18.""",
    solutions=(
        """
def solve(piles):
    count = len(piles)
    minutes = [[0] * count for _ in range(count)]
    for length in range(2, count + 1):
        for first in range(count - length + 1):
            last = first + length - 1
            cheapest = min(
                minutes[first][cut] + minutes[cut + 1][last] for cut in range(first, last)
            )
            minutes[first][last] = cheapest + sum(piles[first:last + 1])
    return minutes[0][-1] if piles else 0
""",
        """
from functools import cache
from itertools import accumulate

def solve(piles):
    totals = list(accumulate(piles, initial=0))

    @cache
    def minutes(start, end):
        if end - start < 2:
            return 0
        best = None
        for cut in range(start + 1, end):
            time = minutes(start, cut) + minutes(cut, end)
            if best is None or time < best:
                best = time
        return best + totals[end] - totals[start]

    return minutes(0, len(piles))
""",
    ),
    make_input=_sand,
    edge_cases=(
        ([],),
        ([8],),
        ([3, 5],),
        ([1, 2, 3],),
        ([3, 2, 1],),
        ([4, 1, 1, 4],),
        ([0, 0, 0],),
        ([5, 5, 5, 5],),
    ),
)


def _prices(generator: random.Random, size: int) -> Arguments:
    prices = [generator.randint(1, 12) for _ in range(generator.randint(0, size))]
    return prices, generator.randint(0, 3)


GRAIN_TRADER = Problem(
    name="grain_trader",
    topic="dynamic_programming",
    question="""\
A trader knows the price of a sack of grain on each of the coming days. On a day she may buy a sack
at the price of the day, if she has none, or sell the sack that she has, for which a fee is due; not
both on one day. Write `solve(prices, fee)`, which returns the largest profit that she can make: the
prices of sales, minus the prices of purchases, minus the fee for each sale. She starts without a
sack and may do nothing, which is a profit of 0. There are at most 60 prices between 1 and 1000, and
the fee is between 0 and 100.

Example: solve([1, 5, 3, 8], 1) returns 7; solve([4, 2], 0) returns 0.""",
    solutions=(
        """
def solve(prices, fee):
    without = 0
    holding = None
    for price in prices:
        if holding is None:
            holding = -price
            continue
        sold = holding + price - fee
        bought = without - price
        without = max(without, sold)
        holding = max(holding, bought)
    return without
""",
        """
def solve(prices, fee):
    best = [0]
    for last in range(len(prices)):
        profit = best[-1]
        for first in range(last):
            gain = prices[last] - prices[first] - fee
            profit = max(profit, best[first] + gain)
        best.append(profit)
    return best[-1]
""",
        """
from functools import lru_cache

def solve(prices, fee):
    @lru_cache(None)
    def most(day, has_sack):
        if day == len(prices):
            return 0
        waiting = most(day + 1, has_sack)
        if has_sack:
            acting = prices[day] - fee + most(day + 1, False)
        else:
            acting = most(day + 1, True) - prices[day]
        return max(waiting, acting)

    return most(0, False)
""",
    ),
    make_input=_prices,
    edge_cases=(
        ([], 0),
        ([5], 0),
        ([4, 2], 0),
        ([2, 4], 2),
        ([2, 4], 1),
        ([1, 5, 3, 8], 1),
        ([1, 5, 3, 8], 3),
        ([2, 9, 1, 1, 9], 0),
    ),
)

PROBLEMS = (LONGEST_ZIGZAG, CHANGE_COST, FAIREST_SHARING, JOINED_PILES, GRAIN_TRADER)
