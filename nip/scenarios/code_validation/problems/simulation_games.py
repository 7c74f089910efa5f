"""Problems about simulation: games and toys."""

import random

from nip.scenarios.code_validation.problems.inputs import random_word
from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _row(generator: random.Random, size: int) -> Arguments:
    row = random_word(generator, "abc", 0, size // 2)
    for _ in range(generator.randint(0, 1 + size // 4)):
        place = generator.randint(0, len(row))
        row = row[:place] + generator.choice("abc") * generator.randint(2, 4) + row[place:]
    return (row,)


CHAIN_REACTION = Problem(
    name="chain_reaction",
    topic="simulation",
    question="""\
Coloured stones lie in a row, written as a text with one lowercase letter per stone. In each round
all stones that belong to three or more neighbouring stones of one colour disappear at the same
time, and the others move together. This goes on until a round would change nothing. Write
`solve(row)`, which returns a list of the row in the end and the number of rounds in which stones
disappeared. The row has at most 60 stones and may be empty.

Example: solve("abbbaac") returns ["c", 2]; solve("aabb") returns ["aabb", 0].""",
    solutions=(
        """
import re

def solve(row):
    rounds = 0
    while True:
        shorter = re.sub(r"(.)\\1\\1+", "", row)
        if shorter == row:
            return [row, rounds]
        row = shorter
        rounds += 1
""",
        """
from itertools import groupby

def solve(row):
    rounds = -1
    changed = True
    while changed:
        rounds += 1
        runs = ["".join(group) for _, group in groupby(row)]
        kept = [run for run in runs if len(run) < 3]
        changed = len(kept) < len(runs)
        row = "".join(kept)
    return [row, rounds]
""",
        """
def solve(row):
    rounds = 0
    while True:
        marked = [False] * len(row)
        for place in range(len(row) - 2):
            if row[place] == row[place + 1] == row[place + 2]:
                for offset in range(3):
                    marked[place + offset] = True
        if not any(marked):
            break
        row = "".join(stone for stone, gone in zip(row, marked) if not gone)
        rounds += 1
    return [row, rounds]
""",
    ),
    make_input=_row,
    edge_cases=(
        ("",),
        ("a",),
        ("aa",),
        ("aaa",),
        ("aaaa",),
        ("aabb",),
        ("abbbaac",),
        ("aaabbb",),
        ("abbaaabba",),
    ),
)


def _circle(generator: random.Random, size: int) -> Arguments:
    return generator.randint(0 if size < 3 else 1, 2 + size // 2), generator.randint(1, 6)


COUNTING_OUT = Problem(
    name="counting_out",
    topic="simulation",
    question="""\
Children numbered from 1 to num_children sit in a circle, clockwise. Counting begins with child 1
and goes clockwise; the child at which it comes to `step` leaves the circle. Then the direction is
reversed: counting begins anew with the child next to the gap, now anticlockwise, and so on, with a
change of direction after each child that leaves. Write `solve(num_children, step)`, which returns
the numbers of all children in the order in which they leave, the last one included. There are
between 0 and 40 children, and the step is between 1 and 20; it may be greater than the number of
children left, who are then counted several times.

Example: solve(5, 2) returns [2, 5, 3, 4, 1].""",
    solutions=(
        """
from collections import deque

def solve(num_children, step):
    circle = deque(range(1, num_children + 1))
    order = []
    clockwise = True
    while circle:
        if clockwise:
            circle.rotate(-(step - 1))
            order.append(circle.popleft())
        else:
            circle.rotate(step - 1)
            order.append(circle.pop())
        clockwise = not clockwise
    return order
""",
        """
def solve(num_children, step):
    children = list(range(1, num_children + 1))
    leaving = []
    place = 0
    direction = 1
    while children:
        place = (place + direction * (step - 1)) % len(children)
        leaving.append(children.pop(place))
        direction = -direction
        if direction == -1:
            place -= 1
    return leaving
""",
        """
def solve(num_children, step):
    gone = []
    child = 0
    direction = 1
    while len(gone) < num_children:
        count = 0
        while True:
            if child + 1 not in gone:
                count += 1
                if count == step:
                    break
            child = (child + direction) % num_children
        gone.append(child + 1)
        direction *= -1
    return gone
""",
    ),
    make_input=_circle,
    edge_cases=((0, 3), (1, 1), (1, 7), (2, 1), (2, 2), (3, 1), (5, 2), (6, 9), (10, 3)),
)


def _carts(generator: random.Random, size: int) -> Arguments:
    heaviest = generator.choice((2, 4, 9))
    carts = [
        generator.choice((-1, 1)) * generator.randint(1, heaviest)
        for _ in range(generator.randint(0, size))
    ]
    return (carts,)


BUMPER_CARTS = Problem(
    name="bumper_carts",
    topic="simulation",
    question="""\
Carts stand on a long track, from left to right, and start at the same time with the same speed. A
cart is an integer other than 0: its size is the weight of the cart, and it moves to the right if it
is positive, to the left if it is negative. When two carts meet, the lighter one leaves the track
and the other one goes on as before; if they weigh the same, both leave. Carts that move in the same
direction never meet. Write `solve(carts)`, which returns the carts that are still on the track when
no more can meet, from left to right. There are at most 60 carts with weights up to 100.

Example: solve([-2, 5, 1, -3, -5, 4]) returns [-2, 4].""",
    solutions=(
        """
def solve(carts):
    track = []
    for cart in carts:
        survives = True
        while survives and cart < 0 and track and track[-1] > 0:
            if track[-1] >= -cart:
                survives = False
            if track[-1] <= -cart:
                track.pop()
        if survives:
            track.append(cart)
    return track
""",
        """
def solve(carts):
    track = list(carts)
    place = 0
    while place + 1 < len(track):
        left, right = track[place], track[place + 1]
        if left > 0 and right < 0:
            if left + right > 0:
                del track[place + 1]
            elif left + right < 0:
                del track[place]
            else:
                del track[place:place + 2]
            place = max(place - 1, 0)
        else:
            place += 1
    return track
""",
        """
def solve(carts):
    moving_left = []
    moving_right = []
    for cart in carts:
        if cart > 0:
            moving_right.append(cart)
            continue
        weight = -cart
        while moving_right and moving_right[-1] < weight:
            moving_right.pop()
        if not moving_right:
            moving_left.append(cart)
        elif moving_right[-1] == weight:
            moving_right.pop()
    return moving_left + moving_right
""",
    ),
    make_input=_carts,
    edge_cases=(
        ([],),
        ([3],),
        ([-3],),
        ([3, -3],),
        ([-3, 3],),
        ([1, 2, -2],),
        ([5, 1, 1, -5, -1],),
        ([2, -3, 3, -2],),
        ([-2, 5, 1, -3, -5, 4],),
    ),
)


def _game(generator: random.Random, size: int) -> Arguments:
    board = [0] * generator.randint(2, 6 + size)
    for place in range(1, len(board) - 1):
        if generator.random() < 0.3:
            board[place] = generator.randint(-place, len(board) - 1 - place)
    rolls = [generator.randint(1, 6) for _ in range(generator.randint(0, 1 + size))]
    return board, generator.randint(1, 3), rolls


BOARD_GAME = Problem(
    name="board_game",
    topic="simulation",
    question="""\
Players move pieces from the first field of a board, number 0, to the last one. They take turns,
player 0 first, and each turn uses the next of the given rolls of a die: the piece moves that many
fields forward, but at the last field it turns back, so that with a 5 three fields before the end it
lands two fields before the end. Then the number on the field where it has landed moves it by that
many fields, forward if positive and backward if negative; the number on the field that it reaches
in this way does not count. Who is on the last field after a turn has won, and the game is over.
Write `solve(board, num_players, rolls)`, which returns a list of the winner, or -1 if the rolls run
out before anybody wins, and the list of the fields on which the pieces stand in the end. The board,
a list of the numbers on the fields, has between 2 and 40 fields; 0 is on the first and the last,
and no number leads out of the board. There are between 1 and 4 players; rolls are between 1 and 6,
and may turn back several times on short boards: at the first field, a piece turns forward again.

Example: solve([0, 2, 0, -1, 0], 2, [1, 3, 6]) returns [-1, [3, 2]].""",
    solutions=(
        """
def solve(board, num_players, rolls):
    last = len(board) - 1
    places = [0] * num_players
    for turn, roll in enumerate(rolls):
        player = turn % num_players
        place = (places[player] + roll) % (2 * last)
        if place > last:
            place = 2 * last - place
        place += board[place]
        places[player] = place
        if place == last:
            return [player, places]
    return [-1, places]
""",
        """
def solve(board, num_players, rolls):
    places = {player: 0 for player in range(num_players)}
    player = 0
    winner = -1
    for roll in rolls:
        place = places[player]
        direction = 1
        for _ in range(roll):
            if place + direction < 0 or place + direction == len(board):
                direction = -direction
            place += direction
        places[player] = place + board[place]
        if places[player] + 1 == len(board):
            winner = player
            break
        player += 1
        if player == num_players:
            player = 0
    return [winner, list(places.values())]
""",
    ),
    make_input=_game,
    edge_cases=(
        ([0, 0], 1, []),
        ([0, 0], 1, [1]),
        ([0, 0], 2, [2, 6, 4, 3]),
        ([0, 0, 0, 0], 1, [5, 1]),
        ([0, 2, 0, -1, 0], 2, [1, 3, 6]),
        ([0, 3, 0, 0, 0], 2, [2, 1, 2]),
        ([0, 0, 0, -3, 0, 0], 3, [3, 5, 2]),
    ),
)

PROBLEMS = (CHAIN_REACTION, COUNTING_OUT, BUMPER_CARTS, BOARD_GAME)
