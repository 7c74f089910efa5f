"""Problems about numbers: divisors, primes and remainders."""

import random

from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _natural(generator: random.Random, size: int) -> Arguments:
    small = [2, 2, 2, 3, 3, 5, 7, 11, 13]
    product = 1
    for _ in range(size // 4):
        product *= generator.choice(small)
    return (generator.choice((product, generator.randint(1, 40), generator.randint(1, 2000))),)


FACTORIZATION = Problem(
    name="factorization",
    topic="numbers",
    question="""\
Write `solve(number)`, which writes an integer between 1 and 1,000,000 as a product of powers of
primes. The primes ascend, a power with an exponent above 1 is written with "^", and factors are
joined by " * ". The number 1 is written "1".

Example: solve(360) returns "2^3 * 3^2 * 5".""",
    solutions=(
        """
def solve(number):
    if number == 1:
        return "1"
    factors = []
    divisor = 2
    while divisor * divisor <= number:
        exponent = 0
        while number % divisor == 0:
            number //= divisor
            exponent += 1
        if exponent == 1:
            factors.append(str(divisor))
        elif exponent > 1:
            factors.append(f"{divisor}^{exponent}")
        divisor += 1
    if number > 1:
        factors.append(str(number))
    return " * ".join(factors)
""",
        """
def solve(number):
    exponents = {}
    prime = 2
    while number > 1:
        if number % prime == 0:
            exponents[prime] = exponents.get(prime, 0) + 1
            number //= prime
        elif prime * prime > number:
            prime = number
        else:
            prime += 1
    words = []
    for prime in sorted(exponents):
        exponent = exponents[prime]
        words.append(str(prime) if exponent == 1 else str(prime) + "^" + str(exponent))
    return " * ".join(words) if words else "1"
""",
    ),
    make_input=_natural,
    edge_cases=((1,), (2,), (4,), (6,), (8,), (9,), (12,), (25,), (49,), (97,), (360,)),
)


def _range_of_primes(generator: random.Random, size: int) -> Arguments:
    low = generator.randint(-3, 10 + size * 10)
    return (low, low + generator.randint(-3, 5 + 3 * size))


PRIME_GAPS = Problem(
    name="widest_prime_gap",
    topic="numbers",
    question="""\
Write `solve(low, high)`, which finds the widest gap between neighbouring primes p < q with
low <= p and q <= high. It returns [p, q]; of several gaps of the same width q - p the one with the
smallest p; and an empty list if there are fewer than two primes from `low` to `high`. Both are
integers between -100 and 2000, and `low` may exceed `high`.

Example: solve(1, 20) returns [7, 11], which is as wide as [13, 17] but comes first.""",
    solutions=(
        """
def solve(low, high):
    primes = []
    for number in range(max(low, 2), high + 1):
        divisor = 2
        while divisor * divisor <= number and number % divisor != 0:
            divisor += 1
        if divisor * divisor > number:
            primes.append(number)
    best = []
    for left, right in zip(primes, primes[1:]):
        if not best or right - left > best[1] - best[0]:
            best = [left, right]
    return best
""",
        """
def solve(low, high):
    if high < 2:
        return []
    is_prime = [True] * (high + 1)
    is_prime[0] = is_prime[1] = False
    for number in range(2, high + 1):
        if is_prime[number]:
            for multiple in range(number * number, high + 1, number):
                is_prime[multiple] = False
    answer = []
    widest = 0
    previous = None
    for number in range(max(low, 0), high + 1):
        if not is_prime[number]:
            continue
        if previous is not None and number - previous > widest:
            widest = number - previous
            answer = [previous, number]
        previous = number
    return answer
""",
    ),
    make_input=_range_of_primes,
    edge_cases=((0, 1), (2, 2), (2, 3), (3, 2), (-5, 5), (4, 7), (7, 11), (24, 28), (1, 20)),
)


def _small_natural(generator: random.Random, size: int) -> Arguments:
    return (generator.choice((generator.randint(1, 30), generator.randint(1, 20 + 100 * size))),)


KIND_OF_NUMBER = Problem(
    name="kind_of_number",
    topic="numbers",
    question="""\
The proper divisors of a positive integer are its positive divisors without itself. Write
`solve(number)`, which returns "deficient" if their sum is less than the number, "perfect" if it is
equal, and "abundant" if it is more. Prefix the word with "prime, " for a prime number and with
"square, " for the square of an integer. The number is between 1 and 100,000.

Example: solve(6) returns "perfect"; solve(7) returns "prime, deficient"; solve(36) returns
"square, abundant"; solve(1) returns "square, deficient".""",
    solutions=(
        """
def solve(number):
    total = 0
    root = 0
    divisor = 1
    while divisor * divisor <= number:
        if number % divisor == 0:
            total += divisor
            partner = number // divisor
            if partner == divisor:
                root = divisor
            elif partner != number:
                total += partner
        divisor += 1
    if number == 1:
        total = 0
    if total < number:
        word = "deficient"
    elif total == number:
        word = "perfect"
    else:
        word = "abundant"
    if root:
        return "square, " + word
    if total == 1:
        return "prime, " + word
    return word
""",
        """
from math import isqrt

def solve(number):
    root = isqrt(number)
    divisors = set()
    for candidate in range(1, root + 1):
        if number % candidate == 0:
            divisors.add(candidate)
            divisors.add(number // candidate)
    divisors.discard(number)
    parts = []
    if len(divisors) == 1:
        parts.append("prime")
    if root * root == number:
        parts.append("square")
    difference = sum(divisors) - number
    if difference > 0:
        parts.append("abundant")
    else:
        parts.append("deficient" if difference < 0 else "perfect")
    return ", ".join(parts)
""",
    ),
    make_input=_small_natural,
    edge_cases=((1,), (2,), (4,), (6,), (7,), (9,), (12,), (16,), (28,), (36,), (496,)),
)


def _factorial_input(generator: random.Random, size: int) -> Arguments:
    return (generator.randint(0, 5 + size * 5), generator.randint(2, 30))


FACTORIAL_ZEROS = Problem(
    name="factorial_zeros",
    topic="numbers",
    question="""\
Write `solve(number, base)`, which returns how many zeros the factorial of the number ends with when
it is written in the given base. The factorial of n is the product of all integers from 1 to n, and
that of 0 is 1. The number is between 0 and 1000, the base between 2 and 60.

Example: solve(10, 10) returns 2, since the factorial is 3628800; solve(4, 12) returns 1.""",
    solutions=(
        """
def solve(number, base):
    fewest = None
    prime = 2
    rest = base
    while rest > 1:
        needed = 0
        while rest % prime == 0:
            rest //= prime
            needed += 1
        if needed:
            available = 0
            power = prime
            while power <= number:
                available += number // power
                power *= prime
            zeros = available // needed
            if fewest is None or zeros < fewest:
                fewest = zeros
        prime += 1
    return fewest
""",
        """
def solve(number, base):
    factorial = 1
    for factor in range(2, number + 1):
        factorial *= factor
    zeros = 0
    while factorial % base == 0:
        factorial //= base
        zeros += 1
    return zeros
""",
    ),
    make_input=_factorial_input,
    edge_cases=((0, 2), (1, 2), (2, 2), (4, 12), (5, 10), (10, 10), (25, 5), (9, 9), (8, 16)),
)


def _modular(generator: random.Random, size: int) -> Arguments:
    bound = 3 + size
    modulus = generator.randint(1, bound)
    return (generator.randint(-bound, bound), generator.randint(-bound, bound), modulus)


LINEAR_CONGRUENCE = Problem(
    name="linear_congruence",
    topic="numbers",
    question="""\
Write `solve(a, b, modulus)`, which returns the ascending list of all integers x with
0 <= x < modulus for which a * x and b leave the same remainder when divided by the modulus, with
remainders taken between 0 and modulus - 1. The numbers a and b are between -1000 and 1000, the
modulus is between 1 and 1000.

Example: solve(4, 2, 6) returns [2, 5]; solve(2, 1, 4) returns [].""",
    solutions=(
        """
def solve(a, b, modulus):
    found = []
    remainder = 0
    for x in range(modulus):
        if remainder == b % modulus:
            found.append(x)
        remainder = (remainder + a) % modulus
    return found
""",
        """
from math import gcd

def solve(a, b, modulus):
    divisor = gcd(a, modulus)
    if b % divisor != 0:
        return []
    step = modulus // divisor
    first = 0
    while (a * first - b) % modulus != 0:
        first += 1
    return [first + step * count for count in range(divisor)]
""",
        """
def solve(a, b, modulus):
    return [x for x in range(modulus) if (a * x - b) % modulus == 0]
""",
    ),
    make_input=_modular,
    edge_cases=((0, 0, 1), (0, 1, 1), (0, 0, 3), (0, 1, 3), (4, 2, 6), (2, 1, 4), (-1, 1, 5)),
)

PROBLEMS = (FACTORIZATION, PRIME_GAPS, KIND_OF_NUMBER, FACTORIAL_ZEROS, LINEAR_CONGRUENCE)
