"""Problems about simulation: customers, money, energy and sand on their way."""

import random

from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _customers(generator: random.Random, size: int) -> Arguments:
    time = 0
    customers = []
    for _ in range(generator.randint(0, 1 + size // 2)):
        time += generator.choice((0, 0, 1, 2, 4))
        customers.append([time, generator.randint(1, 6)])
    return customers, generator.randint(1, 3)


COUNTERS = Problem(
    name="counters",
    topic="simulation",
    question="""\
Customers come to a shop with counters numbered from 0. A customer is a list of two integers: the
minute of arrival and the minutes that serving takes, at least 1. They are given in the order in
which they come, with minutes of arrival that never decrease, and are served in this order: the
first in the queue goes to a counter as soon as one is free, to the one with the smallest number if
several are. A counter that serves a customer from minute 3 for 2 minutes is free again in minute 5.
Write `solve(customers, num_counters)`, which returns for each customer a list of the counter and of
the minute in which serving begins. There are at most 50 customers, minutes up to 200, and between 1
and 10 counters.

Example: solve([[0, 5], [1, 2], [1, 1], [4, 1]], 2) returns [[0, 0], [1, 1], [1, 3], [1, 4]].""",
    solutions=(
        """
def solve(customers, num_counters):
    free_at = [0] * num_counters
    served = []
    for arrival, duration in customers:
        start = max(arrival, min(free_at))
        for counter in range(num_counters):
            if free_at[counter] <= start:
                break
        free_at[counter] = start + duration
        served.append([counter, start])
    return served
""",
        """
import heapq

def solve(customers, num_counters):
    idle = list(range(num_counters))
    busy = []
    plan = []
    time = 0
    for arrival, duration in customers:
        time = max(time, arrival)
        if not idle and busy[0][0] > time:
            time = busy[0][0]
        while busy and busy[0][0] <= time:
            heapq.heappush(idle, heapq.heappop(busy)[1])
        counter = heapq.heappop(idle)
        heapq.heappush(busy, (time + duration, counter))
        plan.append([counter, time])
    return plan
""",
        """
def solve(customers, num_counters):
    remaining = [0] * num_counters
    result = []
    minute = 0
    while len(result) < len(customers):
        for counter in range(num_counters):
            if len(result) == len(customers):
                break
            arrival, duration = customers[len(result)]
            if remaining[counter] == 0 and arrival <= minute:
                result.append([counter, minute])
                remaining[counter] = duration
        remaining = [max(0, minutes - 1) for minutes in remaining]
        minute += 1
    return result
""",
    ),
    make_input=_customers,
    edge_cases=(
        ([], 1),
        ([[0, 1]], 1),
        ([[7, 2]], 3),
        ([[0, 3], [1, 1], [3, 1]], 1),
        ([[0, 2], [0, 2], [0, 2], [0, 2]], 2),
        ([[0, 5], [1, 2], [1, 1], [4, 1]], 2),
        ([[0, 1], [0, 2], [5, 1]], 2),
    ),
)


def _transfers(generator: random.Random, size: int) -> Arguments:
    balances = [generator.randint(0, 6) for _ in range(generator.randint(1, 4))]
    transfers = []
    for _ in range(generator.randint(0, 1 + size // 2)):
        payer, payee = generator.randrange(len(balances)), generator.randrange(len(balances))
        transfers.append([payer, payee, generator.randint(1, 9)])
    return balances, transfers, generator.choice((0, 0, 3))


WAITING_TRANSFERS = Problem(
    name="waiting_transfers",
    topic="simulation",
    question="""\
A bank has accounts numbered from 0, with the given balances. A transfer is a list of three
integers: the account that pays, the account that is paid (perhaps the same), and the amount, at
least 1. It can be made if the paying account has at least -credit after the amount is taken from
it. Transfers come in the given order. One that cannot be made waits. After each transfer that was
made, the waiting ones are looked through from the one that came first, and the first of them that
can be made is made, which again is followed by such a look, until none of them can be made; only
then comes the next transfer. Write `solve(balances, transfers, credit)`, which returns a list of
two lists: the balances in the end, and the positions of the transfers that still wait, in ascending
order. There are between 1 and 10 accounts, at most 30 transfers, balances from 0 to 1000, and a
credit of 0 or more.

Example: solve([5, 0], [[1, 0, 3], [0, 1, 4], [0, 1, 9]], 0) returns [[4, 1], [2]].""",
    solutions=(
        """
def solve(balances, transfers, credit):
    waiting = []
    for position in range(len(transfers)):
        candidates = [position]
        while candidates:
            candidate = candidates.pop(0)
            payer, payee, amount = transfers[candidate]
            if balances[payer] - amount < -credit:
                if candidate == position:
                    waiting.append(position)
                continue
            balances[payer] -= amount
            balances[payee] += amount
            if candidate in waiting:
                waiting.remove(candidate)
            candidates = list(waiting)
    return [balances, waiting]
""",
        """
def solve(balances, transfers, credit):
    def make(position):
        payer, payee, amount = transfers[position]
        if balances[payer] + credit < amount:
            return False
        balances[payer] -= amount
        balances[payee] += amount
        return True

    waiting = []
    for position in range(len(transfers)):
        if not make(position):
            waiting.append(position)
            continue
        changed = True
        while changed:
            changed = False
            for other in waiting:
                if make(other):
                    waiting.remove(other)
                    changed = True
                    break
    return [balances, waiting]
""",
        """
def solve(balances, transfers, credit):
    def possible(position):
        payer, _, amount = transfers[position]
        return balances[payer] - amount >= -credit

    waiting = []
    for position in range(len(transfers)):
        waiting.append(position)
        following = position if possible(position) else None
        while following is not None:
            payer, payee, amount = transfers[following]
            balances[payer] -= amount
            balances[payee] += amount
            waiting.remove(following)
            following = next(filter(possible, waiting), None)
    return [balances, waiting]
""",
    ),
    make_input=_transfers,
    edge_cases=(
        ([0], [], 0),
        ([0], [[0, 0, 1]], 0),
        ([0], [[0, 0, 1]], 1),
        ([5, 0], [[0, 1, 5]], 0),
        ([5, 0], [[0, 1, 6]], 0),
        ([5, 0], [[1, 0, 3], [0, 1, 4], [0, 1, 9]], 0),
        ([2, 0, 0], [[1, 2, 2], [2, 1, 1], [0, 1, 2]], 0),
        ([1, 1], [[0, 1, 2], [0, 1, 1], [1, 0, 2]], 0),
    ),
)


def _hours(generator: random.Random, size: int) -> Arguments:
    hours = [generator.randint(-6, 6) for _ in range(generator.randint(0, size))]
    return hours, generator.randint(0, 10), generator.randint(1, 5)


HOUSE_BATTERY = Problem(
    name="house_battery",
    topic="simulation",
    question="""\
A house has solar cells and a battery, which is empty at first. `surplus` gives for each hour the
energy that the cells deliver beyond what the house needs, a negative number if the house needs
more. A surplus is loaded into the battery, up to its capacity and at most `rate` per hour; what is
not loaded is sold. A lack is taken from the battery, as far as it has energy and at most `rate` per
hour; what is not taken from it is bought. Write `solve(surplus, capacity, rate)`, which returns a
list of three integers: the energy bought, the energy sold, and the energy in the battery in the
end. There are at most 100 hours with numbers between -100 and 100; the capacity is at least 0 and
the rate at least 1.

Example: solve([4, -1, -5], 10, 3) returns [3, 1, 0].""",
    solutions=(
        """
def solve(surplus, capacity, rate):
    bought = 0
    sold = 0
    stored = 0
    for energy in surplus:
        if energy >= 0:
            loaded = min(energy, rate, capacity - stored)
            stored += loaded
            sold += energy - loaded
        else:
            taken = min(-energy, rate, stored)
            stored -= taken
            bought += -energy - taken
    return [bought, sold, stored]
""",
        """
def solve(surplus, capacity, rate):
    stored = 0
    exchanged = []
    for energy in surplus:
        before = stored
        change = max(-rate, min(rate, energy))
        stored = max(0, min(capacity, stored + change))
        exchanged.append(energy - (stored - before))
    sold = sum(energy for energy in exchanged if energy > 0)
    bought = -sum(energy for energy in exchanged if energy < 0)
    return [bought, sold, stored]
""",
        """
def solve(surplus, capacity, rate):
    totals = {"bought": 0, "sold": 0, "stored": 0}
    for energy in surplus:
        left = rate
        while energy > 0:
            energy -= 1
            if left > 0 and totals["stored"] < capacity:
                totals["stored"] += 1
                left -= 1
            else:
                totals["sold"] += 1
        while energy < 0:
            energy += 1
            if left > 0 and totals["stored"] > 0:
                totals["stored"] -= 1
                left -= 1
            else:
                totals["bought"] += 1
    return list(totals.values())
""",
    ),
    make_input=_hours,
    edge_cases=(
        ([], 5, 1),
        ([0], 5, 1),
        ([5], 0, 3),
        ([-5], 10, 3),
        ([4, -1, -5], 10, 3),
        ([6, 6, 6, -9, -9], 10, 5),
        ([2, -2, 2, -2], 2, 2),
    ),
)


def _grains(generator: random.Random, size: int) -> Arguments:
    return ([generator.choice((0, 0, 1, 1, 2, 4)) for _ in range(generator.randint(0, size // 2))],)


TOPPLING_SAND = Problem(
    name="toppling_sand",
    topic="simulation",
    question="""\
Heaps of sand lie in a row on a table. A heap of two or more grains topples: one grain falls onto
the place before it and one onto the place after it; grains that fall beyond the first or the last
place are lost. This goes on as long as any place has two or more grains; in which order the heaps
topple makes no difference for the result. Write `solve(grains)`, which returns a list of two
things: the list of the grains on each place in the end, and how many times a heap toppled. There
are at most 10 places with between 0 and 5 grains each.

Example: solve([0, 2, 1]) returns [[1, 1, 0], 2]; solve([2]) returns [[0], 1].""",
    solutions=(
        """
def solve(grains):
    topplings = 0
    unstable = True
    while unstable:
        unstable = False
        for place in range(len(grains)):
            if grains[place] >= 2:
                unstable = True
                topplings += 1
                grains[place] -= 2
                if place > 0:
                    grains[place - 1] += 1
                if place + 1 < len(grains):
                    grains[place + 1] += 1
    return [grains, topplings]
""",
        """
def solve(grains):
    heaps = [0] + grains + [0]
    count = 0
    pending = [place for place in range(1, len(grains) + 1) if heaps[place] > 1]
    while pending:
        place = pending.pop()
        times = heaps[place] // 2
        if times == 0:
            continue
        count += times
        heaps[place] -= 2 * times
        for neighbour in (place - 1, place + 1):
            heaps[neighbour] += times
            if 0 < neighbour <= len(grains):
                pending.append(neighbour)
    return [heaps[1:-1], count]
""",
        """
def solve(grains):
    total = 0
    while max(grains, default=0) > 1:
        falling = [heap // 2 for heap in grains]
        total += sum(falling)
        from_left = [0] + falling[:-1]
        from_right = falling[1:] + [0]
        grains = [
            heap % 2 + left + right
            for heap, left, right in zip(grains, from_left, from_right)
        ]
    return [grains, total]
""",
    ),
    make_input=_grains,
    edge_cases=(
        ([],),
        ([1],),
        ([2],),
        ([5],),
        ([0, 2, 1],),
        ([0, 4, 0],),
        ([1, 1, 2, 1, 1],),
        ([5, 5, 5],),
    ),
)

PROBLEMS = (COUNTERS, WAITING_TRANSFERS, HOUSE_BATTERY, TOPPLING_SAND)
