"""Problems about graphs: orders, trees and regions of a map."""

import random

from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _tasks(generator: random.Random, size: int) -> Arguments:
    num_tasks = generator.randint(1, 2 + size // 2)
    places = list(range(num_tasks))
    generator.shuffle(places)
    rules = []
    for _ in range(generator.randint(0, num_tasks + 2)):
        one, other = generator.randrange(num_tasks), generator.randrange(num_tasks)
        if places[one] < places[other] or generator.random() < 0.04:
            rules.append([one, other])
    return num_tasks, rules


ORDER_OF_TASKS = Problem(
    name="order_of_tasks",
    topic="graphs",
    question="""\
Tasks are numbered from 0 to num_tasks - 1. A rule is a list of two tasks, the first of which must
be done before the second. Write `solve(num_tasks, rules)`, which returns all tasks in the order in
which they are done, when at any time the smallest of the tasks that may be done next is chosen. If
the rules contradict each other, so that some tasks can never be done, return []. A rule that names
the same task twice is such a contradiction. There are at least 1 and at most 30 tasks and at most
100 rules, which may be repeated.

Example: solve(4, [[3, 1], [1, 0]]) returns [2, 3, 1, 0]; solve(2, [[0, 1], [1, 0]]) returns [].""",
    solutions=(
        """
import heapq

def solve(num_tasks, rules):
    followers = [[] for _ in range(num_tasks)]
    waiting_for = [0] * num_tasks
    for first, second in rules:
        followers[first].append(second)
        waiting_for[second] += 1
    ready = [task for task in range(num_tasks) if waiting_for[task] == 0]
    order = []
    while ready:
        task = heapq.heappop(ready)
        order.append(task)
        for follower in followers[task]:
            waiting_for[follower] -= 1
            if waiting_for[follower] == 0:
                heapq.heappush(ready, follower)
    return order if len(order) == num_tasks else []
""",
        """
def solve(num_tasks, rules):
    order = []
    remaining = list(range(num_tasks))
    while remaining:
        blocked = {second for first, second in rules if first in remaining}
        allowed = [task for task in remaining if task not in blocked]
        if not allowed:
            return []
        order.append(allowed[0])
        remaining.remove(allowed[0])
    return order
""",
        """
def solve(num_tasks, rules):
    needs = {task: set() for task in range(num_tasks)}
    for first, second in rules:
        needs[second].add(first)
    done = []
    while len(done) < num_tasks:
        for task in range(num_tasks):
            if task not in done and needs[task].issubset(done):
                done.append(task)
                break
        else:
            return []
    return done
""",
    ),
    make_input=_tasks,
    edge_cases=(
        (1, []),
        (1, [[0, 0]]),
        (3, []),
        (2, [[1, 0], [1, 0]]),
        (2, [[0, 1], [1, 0]]),
        (4, [[3, 1], [1, 0]]),
        (5, [[4, 0], [4, 1], [0, 2], [1, 2]]),
        (5, [[1, 2], [2, 3], [3, 1]]),
    ),
)


def _company(generator: random.Random, size: int) -> Arguments:
    num_people = generator.randint(1, 2 + size)
    near = generator.random() < 0.5
    bosses = [-1]
    for person in range(1, num_people):
        bosses.append(generator.randrange(max(0, person - 3) if near else 0, person))
    labels = list(range(num_people))
    generator.shuffle(labels)
    shuffled = [0] * num_people
    for person, boss in enumerate(bosses):
        shuffled[labels[person]] = -1 if boss == -1 else labels[boss]
    return (shuffled,)


FARTHEST_COLLEAGUES = Problem(
    name="farthest_colleagues",
    topic="graphs",
    question="""\
In a company everybody but its head has one boss. Write `solve(bosses)`, where `bosses` gives for
each of the people 0, 1, 2, ... the number of the boss, and -1 for the head. A message can be passed
on between somebody and his or her boss, in both directions. Return a list of two integers: the
number of times that a message must be passed on between the two people who are farthest from each
other, and the largest number of times that it must be passed on between the head and anybody else.
There are between 1 and 40 people, and everybody is below the head, directly or through others; one
person alone gives [0, 0].

Example: solve([-1, 0, 0, 1]) returns [3, 2].""",
    solutions=(
        """
def solve(bosses):
    staff = [[] for _ in bosses]
    for person, boss in enumerate(bosses):
        if boss != -1:
            staff[boss].append(person)
    longest = 0

    def depth(person):
        nonlocal longest
        first = second = 0
        for member in staff[person]:
            below = depth(member) + 1
            if below > first:
                first, second = below, first
            elif below > second:
                second = below
        longest = max(longest, first + second)
        return first

    height = depth(bosses.index(-1))
    return [longest, height]
""",
        """
from collections import deque

def solve(bosses):
    neighbours = [[] for _ in bosses]
    for person, boss in enumerate(bosses):
        if boss >= 0:
            neighbours[person].append(boss)
            neighbours[boss].append(person)

    def farthest(start):
        distance = {start: 0}
        queue = deque([start])
        while queue:
            person = queue.popleft()
            for other in neighbours[person]:
                if other not in distance:
                    distance[other] = distance[person] + 1
                    queue.append(other)
        return person, distance[person]

    end, height = farthest(bosses.index(-1))
    return [farthest(end)[1], height]
""",
        """
def solve(bosses):
    chains = []
    for person in range(len(bosses)):
        chain = [person]
        while bosses[chain[-1]] != -1:
            chain.append(bosses[chain[-1]])
        chains.append(chain)
    longest = 0
    for chain in chains:
        for other in chains:
            shared = 0
            while shared < min(len(chain), len(other)) and chain[-1 - shared] == other[-1 - shared]:
                shared += 1
            longest = max(longest, len(chain) + len(other) - 2 * shared)
    return [longest, max(len(chain) for chain in chains) - 1]
""",
    ),
    make_input=_company,
    edge_cases=(
        ([-1],),
        ([-1, 0],),
        ([1, -1],),
        ([-1, 0, 0, 1],),
        ([-1, 0, 1, 2, 3],),
        ([-1, 0, 0, 0, 0],),
        ([-1, 0, 1, 1, 2, 3, 4, 5],),
    ),
)


def _map(generator: random.Random, size: int) -> Arguments:
    height = generator.randint(1, 4 + size // 4)
    width = generator.randint(1, 4 + size // 4)
    at_edge, inside = generator.choice(((0.1, 0.4), (0.1, 0.5), (0.0, 0.6), (0.4, 0.4)))
    rows = []
    for row in range(height):
        fields = ""
        for column in range(width):
            is_inside = 0 < row < height - 1 and 0 < column < width - 1
            fields += "~" if generator.random() < (inside if is_inside else at_edge) else "."
        rows.append(fields)
    return (rows,)


LAKES = Problem(
    name="lakes",
    topic="graphs",
    question="""\
A map is a list of equally long strings, in which "~" is a field of water and "." a field of land.
Fields of water that have a side in common belong to the same water. Water of which a field lies at
the edge of the map (in the first or last row or column) is part of the sea; all other waters are
lakes. Write `solve(map_rows)`, which returns a list of two integers: the number of lakes, and the
number of fields of the largest lake, or 0 if there is none. The map has at least one row and one
column and at most 12 of either.

Example: solve([".....", ".~.~~", ".~...", "....."]) returns [1, 2].""",
    solutions=(
        """
def solve(map_rows):
    height, width = len(map_rows), len(map_rows[0])
    places = [(row, column) for row in range(height) for column in range(width)]
    unseen = [place for place in places if map_rows[place[0]][place[1]] == "~"]
    sizes = []
    while unseen:
        fields = [unseen.pop()]
        is_lake = True
        for row, column in fields:
            if row in (0, height - 1) or column in (0, width - 1):
                is_lake = False
            for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
                neighbour = (row + down, column + right)
                if neighbour in unseen:
                    unseen.remove(neighbour)
                    fields.append(neighbour)
        if is_lake:
            sizes.append(len(fields))
    return [len(sizes), max(sizes, default=0)]
""",
        """
def solve(map_rows):
    grid = [list(row) for row in map_rows]
    last_row = len(grid) - 1
    last_column = len(grid[0]) - 1

    def drain(row, column):
        if row < 0 or row > last_row or column < 0 or column > last_column:
            return 0
        if grid[row][column] != "~":
            return 0
        grid[row][column] = "."
        return (
            1
            + drain(row + 1, column)
            + drain(row - 1, column)
            + drain(row, column + 1)
            + drain(row, column - 1)
        )

    for row in range(last_row + 1):
        drain(row, 0)
        drain(row, last_column)
    for column in range(last_column + 1):
        drain(0, column)
        drain(last_row, column)
    lakes = 0
    largest = 0
    for row in range(last_row + 1):
        for column in range(last_column + 1):
            fields = drain(row, column)
            if fields > 0:
                lakes += 1
                largest = max(largest, fields)
    return [lakes, largest]
""",
        """
def solve(map_rows):
    label = {}
    for row, line in enumerate(map_rows):
        for column, field in enumerate(line):
            if field == "~":
                label[row, column] = (row, column)
    changed = True
    while changed:
        changed = False
        for row, column in label:
            for down, right in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                other = (row + down, column + right)
                if other in label and label[other] < label[row, column]:
                    label[row, column] = label[other]
                    changed = True
    sea = set()
    for (row, column), name in label.items():
        if row % (len(map_rows) - 1 or 1) == 0 or column % (len(map_rows[0]) - 1 or 1) == 0:
            sea.add(name)
    lakes = [name for name in label.values() if name not in sea]
    sizes = [lakes.count(name) for name in lakes]
    return [len(set(lakes)), max(sizes) if sizes else 0]
""",
    ),
    make_input=_map,
    edge_cases=(
        (["."],),
        (["~"],),
        (["...", ".~.", "..."],),
        (["...", ".~~", "..."],),
        ([".....", ".~.~~", ".~...", "....."],),
        (["~~~~~", "~...~", "~.~.~", "~...~", "~~~~~"],),
        ([".....", ".~.~.", "..~..", "....."],),
    ),
)

PROBLEMS = (ORDER_OF_TASKS, FARTHEST_COLLEAGUES, LAKES)
