"""Problems about graphs: the shortest and the cheapest ways through them."""

import random

from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _halls(generator: random.Random, size: int) -> Arguments:
    num_halls = generator.randint(1, 3 + size // 2)
    doors = [
        [generator.randrange(num_halls), generator.randrange(num_halls)]
        for _ in range(generator.randint(0, 1 + 2 * num_halls))
    ]
    doors = [door for door in doors if door[0] != door[1]]
    return num_halls, doors, generator.randrange(num_halls), generator.randrange(num_halls)


MUSEUM_ROUTE = Problem(
    name="museum_route",
    topic="graphs",
    question="""\
The halls of a museum are numbered from 0 to num_halls - 1, and each door, a list of two different
halls, connects them in both directions. Write `solve(num_halls, doors, start, goal)`, which returns
a route from the hall `start` to the hall `goal` through as few doors as possible, as the list of
the halls on it, start and goal included. Of several such routes, return the one that comes first in
the order of lists of numbers: the one with the smaller number at the first place where they differ.
If there is none, return []; if start and goal are equal, the route is that one hall. There are at
most 30 halls and 100 doors, and two halls may have several doors between them.

Example: solve(4, [[0, 2], [0, 1], [1, 3], [2, 3]], 0, 3) returns [0, 1, 3].""",
    solutions=(
        """
from collections import deque

def solve(num_halls, doors, start, goal):
    neighbours = [[] for _ in range(num_halls)]
    for one, other in doors:
        neighbours[one].append(other)
        neighbours[other].append(one)
    distance = [None] * num_halls
    distance[goal] = 0
    queue = deque([goal])
    while queue:
        hall = queue.popleft()
        for following in neighbours[hall]:
            if distance[following] is None:
                distance[following] = distance[hall] + 1
                queue.append(following)
    if distance[start] is None:
        return []
    route = [start]
    while route[-1] != goal:
        hall = route[-1]
        route.append(min(n for n in neighbours[hall] if distance[n] == distance[hall] - 1))
    return route
""",
        """
import heapq

def solve(num_halls, doors, start, goal):
    queue = [(1, [start])]
    visited = [False] * num_halls
    while queue:
        length, route = heapq.heappop(queue)
        hall = route[-1]
        if hall == goal:
            return route
        if visited[hall]:
            continue
        visited[hall] = True
        for one, other in doors:
            if one == hall and not visited[other]:
                heapq.heappush(queue, (length + 1, route + [other]))
            if other == hall and not visited[one]:
                heapq.heappush(queue, (length + 1, route + [one]))
    return []
""",
        """
def solve(num_halls, doors, start, goal):
    neighbours = {hall: set() for hall in range(num_halls)}
    for one, other in doors:
        neighbours[one].add(other)
        neighbours[other].add(one)
    came_from = {start: None}
    layer = [start]
    while layer and goal not in came_from:
        following = []
        for hall in layer:
            for target in sorted(neighbours[hall]):
                if target not in came_from:
                    came_from[target] = hall
                    following.append(target)
        layer = following
    if goal not in came_from:
        return []
    route = []
    hall = goal
    while hall is not None:
        route.append(hall)
        hall = came_from[hall]
    return route[::-1]
""",
    ),
    make_input=_halls,
    edge_cases=(
        (1, [], 0, 0),
        (2, [], 0, 1),
        (2, [[1, 0], [0, 1]], 0, 1),
        (4, [[0, 2], [0, 1], [1, 3], [2, 3]], 0, 3),
        (4, [[0, 2], [0, 1], [1, 3], [2, 3]], 3, 0),
        (5, [[0, 1], [1, 2], [3, 4]], 0, 4),
        (6, [[0, 4], [0, 1], [4, 2], [1, 3], [2, 5], [3, 5]], 0, 5),
        (10, [[0, 8], [0, 1], [8, 9], [1, 9]], 0, 9),
    ),
)


def _pipes(generator: random.Random, size: int) -> Arguments:
    num_towns = generator.randint(1, 3 + size // 3)
    roads = []
    for _ in range(generator.randint(0, 2 * num_towns)):
        start, end = generator.randrange(num_towns), generator.randrange(num_towns)
        roads.append([start, end, generator.choice((0, 1, 2, 3, 5, 9, 100))])
    return num_towns, roads, generator.randrange(num_towns)


NEWS_TRAVELS = Problem(
    name="news_travels",
    topic="graphs",
    question="""\
News start in one town and spread along one-way roads. A road is a list of three integers: the town
where it begins, the town where it ends, and the hours that the news take along it (0 to 100). Write
`solve(num_towns, roads, source)`, which returns a list with the hour in which the news first reach
each of the towns 0 to num_towns - 1: 0 for the source, and -1 for towns that they never reach.
There are at most 20 towns and 100 roads; several roads may connect the same towns, and a road may
lead back to the town where it begins.

Example: solve(4, [[0, 1, 5], [0, 2, 1], [2, 1, 2]], 0) returns [0, 3, 1, -1].""",
    solutions=(
        """
import heapq

def solve(num_towns, roads, source):
    leaving = [[] for _ in range(num_towns)]
    for start, end, hours in roads:
        leaving[start].append((end, hours))
    arrival = [-1] * num_towns
    queue = [(0, source)]
    while queue:
        time, town = heapq.heappop(queue)
        if arrival[town] != -1:
            continue
        arrival[town] = time
        for end, hours in leaving[town]:
            if arrival[end] == -1:
                heapq.heappush(queue, (time + hours, end))
    return arrival
""",
        """
def solve(num_towns, roads, source):
    arrival = {source: 0}
    changed = True
    while changed:
        changed = False
        for start, end, hours in roads:
            if start not in arrival:
                continue
            time = arrival[start] + hours
            if end not in arrival or time < arrival[end]:
                arrival[end] = time
                changed = True
    return [arrival.get(town, -1) for town in range(num_towns)]
""",
        """
def solve(num_towns, roads, source):
    far = 10 ** 6
    hours = [[far] * num_towns for _ in range(num_towns)]
    for town in range(num_towns):
        hours[town][town] = 0
    for start, end, duration in roads:
        hours[start][end] = min(hours[start][end], duration)
    for via in range(num_towns):
        for start in range(num_towns):
            for end in range(num_towns):
                detour = hours[start][via] + hours[via][end]
                if detour < hours[start][end]:
                    hours[start][end] = detour
    return [time if time < far else -1 for time in hours[source]]
""",
    ),
    make_input=_pipes,
    edge_cases=(
        (1, [], 0),
        (1, [[0, 0, 4]], 0),
        (2, [[1, 0, 3]], 0),
        (2, [[0, 1, 7], [0, 1, 3]], 0),
        (3, [[0, 1, 0], [1, 2, 0]], 0),
        (4, [[0, 1, 5], [0, 2, 1], [2, 1, 2]], 0),
        (4, [[0, 1, 100], [1, 2, 100], [2, 3, 100]], 0),
        (4, [[3, 2, 9], [2, 1, 9], [3, 1, 100], [1, 3, 1]], 3),
    ),
)


def _maze(generator: random.Random, size: int) -> Arguments:
    height = generator.randint(1 if size < 5 else 2, 3 + size // 4)
    width = generator.randint(1 if size < 5 else 2, 3 + size // 4)
    walls = generator.choice((0.3, 0.5, 0.6))
    rows = []
    for _ in range(height):
        rows.append(["#" if generator.random() < walls else "." for _ in range(width)])
    rows[0][0] = rows[-1][-1] = "."
    return (["".join(row) for row in rows],)


THROUGH_ONE_WALL = Problem(
    name="through_one_wall",
    topic="graphs",
    question="""\
A maze is a list of equally long strings, in which "." is a free field and "#" a wall. Write
`solve(maze)`, which returns the smallest number of steps from the upper left field to the lower
right one, both of which are free. A step leads to a field above, below, to the left or to the
right. Once on the whole way one may step onto a wall, which counts as a step like any other. If the
goal cannot be reached, return -1. The maze has at least one row and one column and at most 8 of
either; if it is a single field, the answer is 0.

Example: solve([".#.", ".#.", ".#."]) returns 4; solve([".##."]) returns -1.""",
    solutions=(
        """
from collections import deque

def solve(maze):
    height, width = len(maze), len(maze[0])
    queue = deque([(0, 0, 0, 0)])
    seen = {(0, 0, 0)}
    while queue:
        row, column, broken, steps = queue.popleft()
        if row == height - 1 and column == width - 1:
            return steps
        for down, right in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            r, c = row + down, column + right
            if not (0 <= r < height and 0 <= c < width):
                continue
            walls = broken + (maze[r][c] == "#")
            if walls <= 1 and (r, c, walls) not in seen:
                seen.add((r, c, walls))
                queue.append((r, c, walls, steps + 1))
    return -1
""",
        """
def solve(maze):
    height, width = len(maze), len(maze[0])

    def distances(start):
        found = {start: 0}
        frontier = [start]
        for row, column in frontier:
            if maze[row][column] == "#":
                continue
            for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
                r, c = row + down, column + right
                if 0 <= r < height and 0 <= c < width and (r, c) not in found:
                    found[r, c] = found[row, column] + 1
                    frontier.append((r, c))
        return found

    goal = (height - 1, width - 1)
    from_start = distances((0, 0))
    to_goal = distances(goal)
    lengths = [from_start[field] + to_goal[field] for field in from_start if field in to_goal]
    return min(lengths, default=-1)
""",
        """
import heapq

def solve(maze):
    fields = {}
    for row, line in enumerate(maze):
        for column, field in enumerate(line):
            fields[row, column] = 1 if field == "#" else 0
    goal = (len(maze) - 1, len(maze[0]) - 1)
    fewest_walls = {}
    queue = [(0, 0, (0, 0))]
    while queue:
        steps, walls, place = heapq.heappop(queue)
        if place == goal:
            return steps
        if walls >= fewest_walls.get(place, 2):
            continue
        fewest_walls[place] = walls
        row, column = place
        for target in ((row - 1, column), (row, column - 1), (row, column + 1), (row + 1, column)):
            if target in fields:
                heapq.heappush(queue, (steps + 1, walls + fields[target], target))
    return -1
""",
    ),
    make_input=_maze,
    edge_cases=(
        (["."],),
        ([".."],),
        ([".#."],),
        ([".##."],),
        ([".", "#", "."],),
        ([".#.", ".#.", ".#."],),
        ([".#...", ".#.#.", "...#."],),
        ([".##", "##.", "#.."],),
        ([".#...", ".#.#.", ".#.#.", ".#.#.", "...#."],),
        ([".....", "####.", ".....", ".####", "....."],),
        ([".#...", ".###.", "...#.", "####.", "....."],),
        ([".##...", ".#.##.", ".#..#."],),
        (["...", "##.", "#..", "#.#", "..#", ".#."],),
    ),
)


def _pointers(generator: random.Random, size: int) -> Arguments:
    count = generator.randint(1, 2 + size)
    pointers = [
        -1 if generator.random() < 0.05 else generator.randrange(count) for _ in range(count)
    ]
    return pointers, generator.randrange(count)


TREASURE_NOTES = Problem(
    name="treasure_notes",
    topic="graphs",
    question="""\
Chests are numbered from 0, and a note in each chest names the chest to open next, or -1, which says
that the search is over. Write `solve(notes, start)`, where `notes` gives the note of each chest.
One opens the chest `start` and follows the notes. Return a list of two integers: how many different
chests are opened before one is met for the second time or the search is over, and how many of these
are met again and again when one goes on for ever (0 if the search is over). There are between 1 and
50 chests; a note may name its own chest.

Example: solve([1, 2, 3, 1], 0) returns [4, 3]; solve([1, -1], 0) returns [2, 0].""",
    solutions=(
        """
def solve(notes, start):
    opened = {}
    chest = start
    while chest != -1 and chest not in opened:
        opened[chest] = len(opened)
        chest = notes[chest]
    if chest == -1:
        return [len(opened), 0]
    return [len(opened), len(opened) - opened[chest]]
""",
        """
def solve(notes, start):
    path = [start]
    while True:
        following = notes[path[-1]]
        if following == -1:
            return [len(path), 0]
        if following in path:
            circle = path[path.index(following):]
            return [len(path), len(circle)]
        path.append(following)
""",
        """
def solve(notes, start):
    chest = start
    for _ in notes:
        if chest != -1:
            chest = notes[chest]
    circle = 0
    if chest != -1:
        other = notes[chest]
        circle = 1
        while other != chest:
            other = notes[other]
            circle += 1
    opened = set()
    chest = start
    while chest != -1 and chest not in opened:
        opened.add(chest)
        chest = notes[chest]
    return [len(opened), circle]
""",
    ),
    make_input=_pointers,
    edge_cases=(
        ([-1], 0),
        ([0], 0),
        ([1, 0], 1),
        ([1, -1], 0),
        ([1, 2, 3, 1], 0),
        ([1, 1, 0], 2),
        ([3, 0, 1, 2], 2),
    ),
)

PROBLEMS = (MUSEUM_ROUTE, NEWS_TRAVELS, THROUGH_ONE_WALL, TREASURE_NOTES)
