"""Problems about graphs: following links and counting what is reached."""

import random

from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _pointers(generator: random.Random, size: int) -> Arguments:
    number = generator.randint(1, 3 + size // 2)
    if generator.random() < 0.5:
        order = list(range(number))
        generator.shuffle(order)
        following = [0] * number
        for place, page in enumerate(order):
            following[page] = order[min(place + 1, number - 1)]
        following[order[-1]] = generator.choice(order)
    else:
        following = [generator.randrange(number) for _ in range(number)]
    return following, generator.randrange(number)


TAIL_AND_LOOP = Problem(
    name="tail_and_loop",
    topic="graphs",
    question="""\
Each page of a booklet names the page at which to go on; pages are counted from 0, and `following`
lists for each page the one that it names. Whoever follows these instructions comes to a page for
the second time sooner or later, and then goes round in a loop. Write `solve(following, start)`,
which returns a list of the number of pages that are read before the loop is entered, and the number
of pages in the loop. There are between 1 and 30 pages.

Example: solve([1, 2, 3, 1], 0) returns [1, 3]; solve([0], 0) returns [0, 1].""",
    solutions=(
        """
def solve(following, start):
    seen = {}
    page = start
    while page not in seen:
        seen[page] = len(seen)
        page = following[page]
    return [seen[page], len(seen) - seen[page]]
""",
        """
def solve(following, start):
    slow = following[start]
    fast = following[slow]
    while slow != fast:
        slow = following[slow]
        fast = following[following[fast]]
    tail = 0
    slow = start
    while slow != fast:
        slow = following[slow]
        fast = following[fast]
        tail += 1
    loop = 1
    fast = following[slow]
    while fast != slow:
        fast = following[fast]
        loop += 1
    return [tail, loop]
""",
        """
def solve(following, start):
    path = [start]
    while path.count(path[-1]) == 1:
        path.append(following[path[-1]])
    tail = path.index(path[-1])
    return [tail, len(path) - 1 - tail]
""",
    ),
    make_input=_pointers,
    edge_cases=(
        ([0], 0),
        ([1, 0], 0),
        ([1, 1], 0),
        ([1, 1], 1),
        ([1, 2, 3, 1], 0),
        ([0, 0, 1], 2),
        ([2, 0, 1], 1),
    ),
)


def _parents(generator: random.Random, size: int) -> Arguments:
    number = generator.randint(0 if size < 3 else 1, 2 + size)
    names = list(range(number))
    generator.shuffle(names)
    parents = [-1] * number
    for place in range(1, number):
        if generator.random() < 0.9:
            parents[names[place]] = names[generator.randrange(max(0, place - 4), place)]
    return (parents,)


GENERATIONS = Problem(
    name="generations",
    topic="graphs",
    question="""\
A list gives for each person of a family, counted from 0, the number of the parent, or -1 for those
without a known parent, who form the first generation. Children of one generation form the next.
Write `solve(parents)`, which returns for each generation a list of two numbers: how many persons
belong to it, and how many of them have no children. Nobody is an ancestor of himself; a parent may
have a higher number than the child. There are at most 40 persons.

Example: solve([-1, 0, 0, 2]) returns [[1, 0], [2, 1], [1, 1]]; solve([]) returns [].""",
    solutions=(
        """
def solve(parents):
    generations = []
    current = [person for person, parent in enumerate(parents) if parent == -1]
    while current:
        childless = sum(1 for person in current if person not in parents)
        generations.append([len(current), childless])
        current = [child for child, parent in enumerate(parents) if parent in current]
    return generations
""",
        """
def solve(parents):
    def depth(person):
        return 0 if parents[person] == -1 else 1 + depth(parents[person])

    depths = [depth(person) for person in range(len(parents))]
    result = [[0, 0] for _ in range(max(depths, default=-1) + 1)]
    for person, generation in enumerate(depths):
        result[generation][0] += 1
        if person not in parents:
            result[generation][1] += 1
    return result
""",
    ),
    make_input=_parents,
    edge_cases=(
        ([],),
        ([-1],),
        ([-1, -1],),
        ([-1, 0],),
        ([1, -1],),
        ([-1, 0, 0, 2],),
        ([2, 0, -1, 2, 1],),
    ),
)


def _roads(generator: random.Random, size: int) -> Arguments:
    number = generator.randint(1, 2 + size // 3)
    roads = [
        [generator.randrange(number), generator.randrange(number), generator.randint(1, 9)]
        for _ in range(generator.randint(0, 2 * number))
    ]
    return number, roads, generator.randint(0, 12)


VILLAGES_IN_REACH = Problem(
    name="villages_in_reach",
    topic="graphs",
    question="""\
Villages are numbered from 0 to num_villages - 1. Each road [one, other, length] connects two
villages in both directions; several roads may connect the same two, and a road may lead back to
where it begins. A car starts at village 0 and can drive `reach` kilometres in total. Write
`solve(num_villages, roads, reach)`, which returns the villages that the car can reach, as pairs
[village, distance] with the length of the shortest way, ordered by distance and then by number.
Village 0 is among them. There are 1 to 12 villages and at most 30 roads with lengths between 1 and
20; the reach is between 0 and 100.

Example: solve(3, [[0, 1, 4], [1, 2, 2], [0, 2, 7]], 6) returns [[0, 0], [1, 4], [2, 6]].""",
    solutions=(
        """
from heapq import heappop, heappush

def solve(num_villages, roads, reach):
    reached = []
    done = set()
    waiting = [(0, 0)]
    while waiting:
        distance, village = heappop(waiting)
        if village in done or distance > reach:
            continue
        done.add(village)
        reached.append([village, distance])
        for one, other, length in roads:
            if one == village:
                heappush(waiting, (distance + length, other))
            if other == village:
                heappush(waiting, (distance + length, one))
    return reached
""",
        """
def solve(num_villages, roads, reach):
    distances = {0: 0}
    changed = True
    while changed:
        changed = False
        for one, other, length in roads:
            for here, there in ((one, other), (other, one)):
                if here in distances:
                    distance = distances[here] + length
                    if distance <= reach and distance < distances.get(there, distance + 1):
                        distances[there] = distance
                        changed = True
    ordered = sorted((distance, village) for village, distance in distances.items())
    return [[village, distance] for distance, village in ordered]
""",
    ),
    make_input=_roads,
    edge_cases=(
        (1, [], 0),
        (2, [], 5),
        (2, [[0, 1, 3]], 3),
        (2, [[1, 0, 3]], 2),
        (2, [[0, 1, 5], [0, 1, 2]], 9),
        (2, [[0, 0, 1]], 9),
        (3, [[0, 1, 4], [1, 2, 2], [0, 2, 7]], 6),
        (4, [[0, 3, 2], [0, 1, 2]], 2),
    ),
)


def _acquaintances(generator: random.Random, size: int) -> Arguments:
    number = generator.randint(1, 2 + size // 4)
    star = generator.randrange(number)
    knows = []
    for one in range(number):
        row = [generator.random() < 0.6 for _ in range(number)]
        if generator.random() < 0.97:
            row = [False] * number if one == star else [*row[:star], True, *row[star + 1 :]]
        knows.append([int(entry) for entry in row])
    return (knows,)


GUEST_OF_HONOUR = Problem(
    name="guest_of_honour",
    topic="graphs",
    question="""\
At a party, `knows[a][b]` is 1 if guest a knows guest b by sight, and 0 otherwise; guests are
counted from 0, and what stands in `knows[a][a]` has no meaning. The guest of honour is known by all
other guests and knows none of them. Write `solve(knows)`, which returns the number of the guest of
honour, or -1 if there is none. There are 1 to 10 guests; a single guest is the guest of honour.

Example: solve([[0, 1], [0, 0]]) returns 1; solve([[0, 1], [1, 0]]) returns -1.""",
    solutions=(
        """
def solve(knows):
    number = len(knows)
    candidate = 0
    for guest in range(1, number):
        if knows[candidate][guest]:
            candidate = guest
    for guest in range(number):
        if guest != candidate and (knows[candidate][guest] or not knows[guest][candidate]):
            return -1
    return candidate
""",
        """
def solve(knows):
    guests = range(len(knows))
    for one in guests:
        others = [guest for guest in guests if guest != one]
        knows_nobody = not any(knows[one][other] for other in others)
        if knows_nobody and all(knows[other][one] for other in others):
            return one
    return -1
""",
        """
def solve(knows):
    number = len(knows)
    balance = [0] * number
    for one in range(number):
        for other in range(number):
            if one != other and knows[one][other]:
                balance[one] -= 1
                balance[other] += 1
    return balance.index(number - 1) if number - 1 in balance else -1
""",
    ),
    make_input=_acquaintances,
    edge_cases=(
        ([[0]],),
        ([[1]],),
        ([[0, 1], [0, 0]],),
        ([[0, 0], [1, 0]],),
        ([[0, 1], [1, 0]],),
        ([[0, 0], [0, 0]],),
        ([[1, 0, 1], [0, 1, 1], [0, 0, 1]],),
        ([[0, 1, 0], [0, 0, 0], [0, 0, 0]],),
    ),
)


PROBLEMS = (TAIL_AND_LOOP, GENERATIONS, VILLAGES_IN_REACH, GUEST_OF_HONOUR)
