"""Problems about simulation: scores and competitions."""

import random

from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _bowling(generator: random.Random, size: int) -> Arguments:
    rolls: list[int] = []
    strike = generator.choice([0.1, 0.4, 0.8])
    for frame in range(10):
        first = 10 if generator.random() < strike else generator.randint(0, 9)
        rolls.append(first)
        rest = 10 - first
        if rest > 0:
            second = rest if generator.random() < strike else generator.randint(0, rest)
            rolls.append(second)
        if frame == 9 and first + (second if rest > 0 else 0) == 10:
            extra = generator.randint(0, 10)
            rolls.append(extra)
            if rest == 0:
                rolls.append(generator.randint(0, 10 if extra == 10 else 10 - extra))
    return (rolls[: len(rolls) if size > 8 else generator.randint(0, len(rolls))],)


BOWLING = Problem(
    name="bowling",
    topic="simulation",
    question="""\
In bowling there are ten frames, in each of which a player rolls at ten pins up to twice; after a
strike, in which the first roll knocks over all ten, the frame is over. A frame counts the pins that
fall in it. After a strike, the pins of the next two rolls are added to the frame; after a spare, in
which all ten fall with the second roll, those of the next one. If the tenth frame is a strike or a
spare, these one or two rolls follow it as extra rolls and count for nothing else. Write
`solve(rolls)`, which returns the list of the scores of all frames that can be computed already,
given the pins of each roll so far. The game may be at any point, but the rolls are possible ones.

Example: solve([10, 3, 4, 5, 5]) returns [17, 7]; solve([5, 5, 2]) returns [12].""",
    solutions=(
        """
def solve(rolls):
    scores = []
    place = 0
    while len(scores) < 10:
        needed = 2
        if place < len(rolls) and rolls[place] == 10:
            needed = 3
        elif sum(rolls[place:place + 2]) == 10:
            needed = 3
        if place + needed > len(rolls):
            break
        scores.append(sum(rolls[place:place + needed]))
        place += 1 if rolls[place] == 10 else 2
    return scores
""",
        """
def solve(rolls):
    frames = []
    for pins in rolls:
        for frame in frames:
            if frame[1] > 0:
                frame[0] += pins
                frame[1] -= 1
        is_second = bool(frames) and frames[-1][2]
        if is_second:
            frames[-1][2] = False
            if frames[-1][0] == 10:
                frames[-1][1] = 1
        elif len(frames) < 10:
            if pins == 10:
                frames.append([10, 2, False])
            else:
                frames.append([pins, 1, True])
    scores = []
    for score, missing, _ in frames:
        if missing > 0:
            break
        scores.append(score)
    return scores
""",
        """
def solve(rolls, frame=1):
    if frame > 10 or not rolls:
        return []
    is_strike = rolls[0] == 10
    bonus = is_strike or sum(rolls[:2]) == 10
    counted = rolls[:3] if bonus else rolls[:2]
    if len(counted) < (3 if bonus else 2):
        return []
    return [sum(counted)] + solve(rolls[1 if is_strike else 2:], frame + 1)
""",
    ),
    make_input=_bowling,
    edge_cases=(
        ([],),
        ([4],),
        ([10],),
        ([5, 5],),
        ([5, 5, 2],),
        ([10, 3, 4, 5, 5],),
        ([10] * 12,),
        ([0] * 20,),
        ([9, 1] * 10 + [9],),
        ([0, 10, 3, 0],),
    ),
)


def _tournament(generator: random.Random, size: int) -> Arguments:
    strengths = list(range(1, generator.randint(1, 2 + size) + 1))
    if generator.random() < 0.4:
        strengths = [generator.randint(1, 1 + len(strengths) // 2) for _ in strengths]
    generator.shuffle(strengths)
    return (strengths,)


KNOCKOUT_ROUNDS = Problem(
    name="knockout_rounds",
    topic="simulation",
    question="""\
Players take part in a knockout tournament. In each round the first plays the second, the third the
fourth, and so on; the winners go on to the next round in the same order, and if their number is
odd, the last one goes on without a game. The stronger player wins; of two equally strong ones, the
first of the two wins. Write `solve(strengths)`, which returns a list with one number per player:
the round in which the player was knocked out, counted from 1, or 0 for the winner of the
tournament. There are 1 to 40 players.

Example: solve([3, 8, 5]) returns [1, 0, 2]; solve([4, 4]) returns [0, 1].""",
    solutions=(
        """
def solve(strengths):
    result = [0] * len(strengths)
    players = list(range(len(strengths)))
    round_number = 1
    while len(players) > 1:
        winners = []
        for place in range(0, len(players) - 1, 2):
            first, second = players[place], players[place + 1]
            if strengths[first] >= strengths[second]:
                winner, loser = first, second
            else:
                winner, loser = second, first
            winners.append(winner)
            result[loser] = round_number
        if len(players) % 2 == 1:
            winners.append(players[-1])
        players = winners
        round_number += 1
    return result
""",
        """
def solve(strengths):
    size = 1
    while size < len(strengths):
        size *= 2
    knocked_out = [0] * len(strengths)

    def winner(start, width, round_number):
        if start >= len(strengths):
            return None
        if width == 1:
            return start
        half = width // 2
        first = winner(start, half, round_number - 1)
        second = winner(start + half, half, round_number - 1)
        if second is None:
            return first
        if strengths[second] > strengths[first]:
            first, second = second, first
        knocked_out[second] = round_number
        return first

    winner(0, size, size.bit_length() - 1)
    return knocked_out
""",
    ),
    make_input=_tournament,
    edge_cases=(
        ([1],),
        ([1, 2],),
        ([4, 4],),
        ([3, 8, 5],),
        ([5, 3, 8],),
        ([1, 2, 3, 4],),
        ([2, 2, 2, 2, 2],),
        ([1, 2, 3, 4, 5, 6, 7],),
    ),
)


def _cash(generator: random.Random, size: int) -> Arguments:
    values = generator.sample([1, 2, 3, 5, 10, 20, 25, 50], generator.randint(1, 4))
    stock = [[value, generator.randint(0, 4)] for value in values]
    amount = sum(value * generator.randint(0, number) for value, number in stock)
    if generator.random() < 0.3:
        amount = generator.randint(0, 5 + 2 * size)
    return stock, amount


CHANGE_MACHINE = Problem(
    name="change_machine",
    topic="simulation",
    question="""\
A machine has a stock of coins, a list of [value, number] with different values, in any order. It
pays an amount as follows: it takes the coin of the greatest value that it still has and that is not
greater than what is left to pay, again and again, until nothing is left or there is no such coin.
Write `solve(stock, amount)`, which returns a list of the coins that it pays, as [value, number]
from the greatest to the smallest value and without those of which it pays none, and the rest that
it cannot pay. There are at most 6 values between 1 and 100, at most 20 coins of each, and the
amount is between 0 and 500.

Example: solve([[5, 1], [2, 9]], 8) returns [[[5, 1], [2, 1]], 1]; solve([], 3) returns [[], 3].""",
    solutions=(
        """
def solve(stock, amount):
    paid = []
    for value, number in sorted(stock, reverse=True):
        taken = min(number, amount // value)
        if taken > 0:
            paid.append([value, taken])
            amount -= taken * value
    return [paid, amount]
""",
        """
def solve(stock, amount):
    left = dict(stock)
    paid = {}
    while True:
        usable = [value for value in left if value <= amount and left[value] > 0]
        if not usable:
            break
        coin = max(usable)
        left[coin] -= 1
        amount -= coin
        paid[coin] = paid.get(coin, 0) + 1
    return [[[coin, number] for coin, number in paid.items()], amount]
""",
    ),
    make_input=_cash,
    edge_cases=(
        ([], 0),
        ([], 3),
        ([[5, 0]], 5),
        ([[5, 1]], 5),
        ([[5, 1]], 4),
        ([[5, 1], [2, 9]], 8),
        ([[2, 9], [5, 1]], 6),
        ([[3, 2], [1, 1]], 8),
    ),
)


PROBLEMS = (BOWLING, KNOCKOUT_ROUNDS, CHANGE_MACHINE)
