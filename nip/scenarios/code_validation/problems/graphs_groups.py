"""Problems about graphs: what hangs together, and what falls apart."""

import random

from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _friends(generator: random.Random, size: int) -> Arguments:
    num_people = generator.randint(0, 2 + size)
    pairs = []
    if num_people:
        for _ in range(generator.randint(0, num_people)):
            pairs.append([generator.randrange(num_people), generator.randrange(num_people)])
    return num_people, pairs


CIRCLES_OF_FRIENDS = Problem(
    name="circles_of_friends",
    topic="graphs",
    question="""\
People are numbered from 0 to num_people - 1. Two people belong to the same circle if they are
friends, or if a chain of friends leads from one to the other. Write `solve(num_people, friends)`,
where `friends` is a list of pairs (lists of two people, in any order, some perhaps repeated; a pair
of one person and itself says nothing). Return the sizes of all circles, the largest first; somebody
without friends is a circle of 1. There are at most 50 people and 100 pairs; nobody at all gives [].

Example: solve(5, [[0, 3], [3, 4], [1, 1]]) returns [3, 1, 1].""",
    solutions=(
        """
def solve(num_people, friends):
    parent = list(range(num_people))

    def find(person):
        while parent[person] != person:
            parent[person] = parent[parent[person]]
            person = parent[person]
        return person

    for one, other in friends:
        parent[find(one)] = find(other)
    sizes = [0] * num_people
    for person in range(num_people):
        sizes[find(person)] += 1
    return sorted((size for size in sizes if size > 0), reverse=True)
""",
        """
def solve(num_people, friends):
    neighbours = {person: [] for person in range(num_people)}
    for one, other in friends:
        neighbours[one].append(other)
        neighbours[other].append(one)
    seen = set()

    def explore(person):
        seen.add(person)
        size = 1
        for friend in neighbours[person]:
            if friend not in seen:
                size += explore(friend)
        return size

    sizes = []
    for person in range(num_people):
        if person not in seen:
            sizes.append(explore(person))
    sizes.sort(reverse=True)
    return sizes
""",
        """
def solve(num_people, friends):
    circles = [{person} for person in range(num_people)]
    for one, other in friends:
        joined = set()
        separate = []
        for circle in circles:
            if one in circle or other in circle:
                joined |= circle
            else:
                separate.append(circle)
        circles = separate + [joined]
    return sorted(map(len, circles))[::-1]
""",
    ),
    make_input=_friends,
    edge_cases=(
        (0, []),
        (1, []),
        (1, [[0, 0]]),
        (3, []),
        (3, [[0, 1], [1, 0], [0, 1]]),
        (5, [[0, 3], [3, 4], [1, 1]]),
        (6, [[0, 1], [2, 3], [4, 5], [1, 2]]),
    ),
)


def _rivals(generator: random.Random, size: int) -> Arguments:
    num_players = generator.randint(1, 3 + size // 2)
    teams = [generator.randint(0, 1) for _ in range(num_players)]
    pairs = []
    for _ in range(generator.randint(0, num_players + 2)):
        one, other = generator.randrange(num_players), generator.randrange(num_players)
        if teams[one] != teams[other] or (one != other and generator.random() < 0.08):
            pairs.append([one, other])
    return num_players, pairs


RIVAL_TEAMS = Problem(
    name="rival_teams",
    topic="graphs",
    question="""\
Players numbered from 0 to num_players - 1 are put into two teams, such that no two rivals are in
the same team. Write `solve(num_players, rivals)`, where `rivals` is a list of pairs of different
players, in any order, some perhaps repeated. Return a list with the team, 0 or 1, of each player.
Of several ways choose the one in which player 0 is in team 0, then, as far as the rest allows,
player 1 in team 0, and so on: the first one in the order of lists. If there is no way, return [].
There are at least 1 and at most 40 players and at most 100 pairs.

Example: solve(4, [[1, 0], [1, 3]]) returns [0, 1, 0, 0].""",
    solutions=(
        """
def solve(num_players, rivals):
    neighbours = [[] for _ in range(num_players)]
    for one, other in rivals:
        neighbours[one].append(other)
        neighbours[other].append(one)
    teams = [None] * num_players
    for first in range(num_players):
        if teams[first] is not None:
            continue
        teams[first] = 0
        queue = [first]
        for player in queue:
            for rival in neighbours[player]:
                if teams[rival] is None:
                    teams[rival] = 1 - teams[player]
                    queue.append(rival)
                elif teams[rival] == teams[player]:
                    return []
    return teams
""",
        """
def solve(num_players, rivals):
    teams = {}

    def place(player, team):
        if player in teams:
            return teams[player] == team
        teams[player] = team
        for one, other in rivals:
            if one == player and not place(other, 1 - team):
                return False
            if other == player and not place(one, 1 - team):
                return False
        return True

    for player in range(num_players):
        if player not in teams and not place(player, 0):
            return []
    return [teams[player] for player in range(num_players)]
""",
        """
def solve(num_players, rivals):
    leader = list(range(2 * num_players))

    def find(node):
        while leader[node] != node:
            node = leader[node]
        return node

    def join(one, other):
        one, other = find(one), find(other)
        leader[max(one, other)] = min(one, other)

    for one, other in rivals:
        join(one, other + num_players)
        join(other, one + num_players)
    teams = []
    for player in range(num_players):
        same = find(player)
        opposite = find(player + num_players)
        if same == opposite:
            return []
        teams.append(0 if same < opposite else 1)
    return teams
""",
    ),
    make_input=_rivals,
    edge_cases=(
        (1, []),
        (3, []),
        (2, [[1, 0]]),
        (3, [[0, 1], [1, 2], [2, 0]]),
        (4, [[1, 0], [1, 3]]),
        (4, [[2, 3], [3, 2]]),
        (5, [[4, 3], [3, 2], [2, 1], [1, 4]]),
        (5, [[0, 1], [2, 3], [3, 4], [4, 2]]),
    ),
)


def _network(generator: random.Random, size: int) -> Arguments:
    num_houses = generator.randint(1, 2 + size // 3)
    cables = []
    for house in range(1, num_houses):
        if generator.random() < 0.95:
            cables.append([generator.randrange(house), house, generator.randint(1, 9)])
    for _ in range(generator.randint(0, num_houses)):
        one, other = generator.randrange(num_houses), generator.randrange(num_houses)
        cables.append([one, other, generator.randint(1, 9)])
    generator.shuffle(cables)
    return num_houses, cables


CHEAPEST_CABLES = Problem(
    name="cheapest_cables",
    topic="graphs",
    question="""\
Houses numbered from 0 to num_houses - 1 are to be connected by cables, such that each house is
connected with each other one, directly or through others. A possible cable is a list of three
integers: the two houses at its ends (perhaps the same house, which is of no use) and its cost,
between 1 and 1000. Write `solve(num_houses, cables)`, which returns the smallest total cost of
cables that do it, or -1 if all of them together do not. A single house needs no cable. There is at
least 1 house, and there are at most 30 of them and 100 possible cables.

Example: solve(3, [[0, 1, 4], [1, 2, 2], [2, 0, 3]]) returns 5; solve(2, []) returns -1.""",
    solutions=(
        """
def solve(num_houses, cables):
    group = list(range(num_houses))
    total = 0
    missing = num_houses - 1
    for one, other, cost in sorted(cables, key=lambda cable: cable[2]):
        old, new = group[one], group[other]
        if old == new:
            continue
        total += cost
        missing -= 1
        for house in range(num_houses):
            if group[house] == old:
                group[house] = new
    return total if missing == 0 else -1
""",
        """
import heapq

def solve(num_houses, cables):
    ends = [[] for _ in range(num_houses)]
    for one, other, cost in cables:
        ends[one].append((cost, other))
        ends[other].append((cost, one))
    connected = {0}
    candidates = list(ends[0])
    heapq.heapify(candidates)
    total = 0
    while candidates:
        cost, house = heapq.heappop(candidates)
        if house in connected:
            continue
        connected.add(house)
        total += cost
        for cable in ends[house]:
            heapq.heappush(candidates, cable)
    return total if len(connected) == num_houses else -1
""",
        """
def solve(num_houses, cables):
    inside = [True] + [False] * (num_houses - 1)
    total = 0
    for _ in range(num_houses - 1):
        usable = [cost for one, other, cost in cables if inside[one] != inside[other]]
        if not usable:
            return -1
        cheapest = min(usable)
        total += cheapest
        for one, other, cost in cables:
            if cost == cheapest and inside[one] != inside[other]:
                inside[one] = inside[other] = True
                break
    return total
""",
    ),
    make_input=_network,
    edge_cases=(
        (1, []),
        (1, [[0, 0, 5]]),
        (2, []),
        (2, [[0, 1, 7], [1, 0, 3]]),
        (3, [[0, 1, 4], [1, 2, 2], [2, 0, 3]]),
        (4, [[0, 1, 1], [2, 3, 1]]),
        (4, [[0, 1, 5], [1, 2, 5], [2, 3, 5], [3, 0, 5]]),
    ),
)


def _bridges(generator: random.Random, size: int) -> Arguments:
    num_islands = generator.randint(1, 3 + size // 3)
    bridges: list[list[int]] = []
    for _ in range(generator.randint(0, num_islands + 2)):
        one, other = generator.randrange(num_islands), generator.randrange(num_islands)
        if one != other and [one, other] not in bridges and [other, one] not in bridges:
            bridges.append([one, other])
    return num_islands, bridges


VITAL_BRIDGES = Problem(
    name="vital_bridges",
    topic="graphs",
    question="""\
Islands numbered from 0 to num_islands - 1 are connected by bridges, which are lists of two
different islands; no two islands have more than one bridge between them. A bridge is vital if,
without it, one could no longer get from one of its ends to the other over bridges. Write
`solve(num_islands, bridges)`, which returns the positions in the list `bridges` of all vital ones,
in ascending order. There are at least 1 and at most 25 islands, and not all of them need be
connected.

Example: solve(4, [[0, 1], [1, 2], [2, 3], [3, 1]]) returns [0].""",
    solutions=(
        """
def solve(num_islands, bridges):
    vital = []
    for skipped, (start, goal) in enumerate(bridges):
        reached = [start]
        for island in reached:
            for position, (one, other) in enumerate(bridges):
                if position == skipped or island not in (one, other):
                    continue
                target = other if island == one else one
                if target not in reached:
                    reached.append(target)
        if goal not in reached:
            vital.append(skipped)
    return vital
""",
        """
def solve(num_islands, bridges):
    neighbours = [[] for _ in range(num_islands)]
    for position, (one, other) in enumerate(bridges):
        neighbours[one].append((other, position))
        neighbours[other].append((one, position))
    order = {}
    vital = []

    def lowest(island, arrived_by):
        order[island] = len(order)
        low = order[island]
        for target, position in neighbours[island]:
            if position == arrived_by:
                continue
            if target in order:
                low = min(low, order[target])
            else:
                below = lowest(target, position)
                if below > order[island]:
                    vital.append(position)
                low = min(low, below)
        return low

    for island in range(num_islands):
        if island not in order:
            lowest(island, None)
    return sorted(vital)
""",
        """
def solve(num_islands, bridges):
    def connected(skipped):
        group = list(range(num_islands))
        for position, (one, other) in enumerate(bridges):
            if position != skipped:
                old, new = group[one], group[other]
                group = [new if label == old else label for label in group]
        one, other = bridges[skipped]
        return group[one] == group[other]

    return [position for position in range(len(bridges)) if not connected(position)]
""",
    ),
    make_input=_bridges,
    edge_cases=(
        (1, []),
        (2, [[0, 1]]),
        (3, [[0, 1], [1, 2], [2, 0]]),
        (4, [[0, 1], [1, 2], [2, 3], [3, 1]]),
        (4, [[0, 1], [2, 3]]),
        (6, [[0, 1], [1, 2], [2, 0], [2, 3], [3, 4], [4, 5], [5, 3]]),
    ),
)

PROBLEMS = (CIRCLES_OF_FRIENDS, RIVAL_TEAMS, CHEAPEST_CABLES, VITAL_BRIDGES)
