"""Problems about numbers: reckoning with fractions, dates and times."""

import random

from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _fractions(generator: random.Random, size: int) -> Arguments:
    bound = 2 + size
    num_fractions = generator.randint(0, 4)
    return (
        [
            [generator.randint(-bound, bound), generator.randint(1, bound)]
            for _ in range(num_fractions)
        ],
    )


SUM_OF_FRACTIONS = Problem(
    name="sum_of_fractions",
    topic="numbers",
    question="""\
Write `solve(fractions)`, which adds fractions. A fraction is a list of two integers, its numerator
(between -1000 and 1000) and its denominator (between 1 and 1000). The sum is returned as a string:
in lowest terms, as "0" or a whole number like "-3" where it is one, else as a mixed number like
"2 1/3" or "-2 1/3", or only the fraction like "-1/3" if its whole part is 0. There are at most 10
fractions; the sum of none is "0".

Example: solve([[1, 2], [5, 6]]) returns "1 1/3".""",
    solutions=(
        """
from math import gcd

def solve(fractions):
    numerator = 0
    denominator = 1
    for top, bottom in fractions:
        numerator = numerator * bottom + top * denominator
        denominator *= bottom
    divisor = gcd(numerator, denominator)
    numerator //= divisor
    denominator //= divisor
    sign = "-" if numerator < 0 else ""
    whole, rest = divmod(abs(numerator), denominator)
    if rest == 0:
        return sign + str(whole)
    if whole == 0:
        return f"{sign}{rest}/{denominator}"
    return f"{sign}{whole} {rest}/{denominator}"
""",
        """
def solve(fractions):
    common = 1
    for _, bottom in fractions:
        a, b = common, bottom
        while b:
            a, b = b, a % b
        common = common // a * bottom
    total = sum(top * (common // bottom) for top, bottom in fractions)
    if total < 0:
        positive = solve([[-top, bottom] for top, bottom in fractions])
        return "-" + positive
    whole = total // common
    rest = total % common
    parts = []
    if whole > 0 or rest == 0:
        parts.append(str(whole))
    if rest > 0:
        a, b = rest, common
        while b:
            a, b = b, a % b
        parts.append(str(rest // a) + "/" + str(common // a))
    return " ".join(parts)
""",
    ),
    make_input=_fractions,
    edge_cases=(
        ([],),
        ([[0, 5]],),
        ([[1, 2], [-1, 2]],),
        ([[1, 2], [5, 6]],),
        ([[-7, 3]],),
        ([[-1, 3]],),
        ([[4, 2]],),
        ([[-6, 3]],),
    ),
)


def _day(generator: random.Random, size: int) -> Arguments:
    years = (1900, 1999, 2000, 2004, 2023, 2024, 2100, 1970 + size)
    month = generator.choice((1, 2, 2, 3, generator.randint(1, 12), 12))
    return (generator.choice(years), month, generator.choice((1, 28, generator.randint(1, 28))))


DAYS_LEFT = Problem(
    name="days_left_in_year",
    topic="numbers",
    question="""\
Write `solve(year, month, day)`, which returns how many days of the year come after the given one. A
year is a leap year, in which February has 29 days instead of 28, if it is divisible by 4, but not
if it is divisible by 100, unless it is divisible by 400. The year is between 1800 and 2200, and the
date exists.

Example: solve(2023, 12, 31) returns 0; solve(2024, 2, 28) returns 307.""",
    solutions=(
        """
def solve(year, month, day):
    lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0):
        lengths[1] = 29
    return sum(lengths[month - 1:]) - day
""",
        """
def solve(year, month, day):
    days = 0
    for current in range(1, 13):
        if current == 2:
            leap = year % 400 == 0 or (year % 4 == 0 and year % 100 != 0)
            length = 29 if leap else 28
        elif current in (4, 6, 9, 11):
            length = 30
        else:
            length = 31
        if current == month:
            days += length - day
        elif current > month:
            days += length
    return days
""",
    ),
    make_input=_day,
    edge_cases=(
        (2023, 12, 31),
        (2024, 2, 28),
        (2024, 2, 29),
        (1900, 1, 1),
        (2000, 1, 1),
        (2023, 3, 1),
        (2024, 11, 30),
        (2100, 2, 28),
    ),
)


def _clock(generator: random.Random) -> str:
    hour = generator.choice((0, 9, 12, 23, generator.randint(0, 23)))
    return f"{hour:02}:{generator.choice((0, 30, 59, generator.randint(0, 59))):02}"


def _shifts(generator: random.Random, size: int) -> Arguments:
    count = generator.randint(0, max(1, size // 4))
    return ([[_clock(generator), _clock(generator)] for _ in range(count)],)


WORKING_TIME = Problem(
    name="working_time",
    topic="numbers",
    question="""\
Write `solve(shifts)`, which adds up the working time of shifts. A shift is a list of two times of
day, its beginning and end, written like "08:30", from "00:00" to "23:59". A shift whose end is
earlier than its beginning lasts until that time of the next day; one with equal times lasts no time
at all. From each shift of more than 6 hours a break of 30 minutes is subtracted. The result is
written in hours and minutes like "7:05" or "31:40", with two digits for the minutes. There are at
most 20 shifts.

Example: solve([["22:00", "06:30"], ["09:00", "09:10"]]) returns "8:10".""",
    solutions=(
        """
def solve(shifts):
    total = 0
    for begin, end in shifts:
        start = int(begin[:2]) * 60 + int(begin[3:])
        stop = int(end[:2]) * 60 + int(end[3:])
        if stop < start:
            stop += 24 * 60
        minutes = stop - start
        if minutes > 360:
            minutes -= 30
        total += minutes
    return f"{total // 60}:{total % 60:02d}"
""",
        """
def solve(shifts):
    def minutes_of(time):
        hours, minutes = time.split(":")
        return 60 * int(hours) + int(minutes)

    lengths = [(minutes_of(end) - minutes_of(begin)) % 1440 for begin, end in shifts]
    breaks = sum(1 for length in lengths if length > 6 * 60)
    hours, minutes = divmod(sum(lengths) - 30 * breaks, 60)
    return str(hours) + ":" + str(minutes).rjust(2, "0")
""",
    ),
    make_input=_shifts,
    edge_cases=(
        ([],),
        ([["08:00", "08:00"]],),
        ([["08:00", "14:00"]],),
        ([["08:00", "14:01"]],),
        ([["23:59", "00:00"]],),
        ([["22:00", "06:30"], ["09:00", "09:10"]],),
    ),
)

PROBLEMS = (SUM_OF_FRACTIONS, DAYS_LEFT, WORKING_TIME)
