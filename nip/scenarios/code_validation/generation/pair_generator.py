"""Generation of pairs of a correct and a buggy program for one problem."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from nip.scenarios.code_validation.generation.datapoints import (
    GeneratedDatapoint,
    buggy_datapoint,
    correct_datapoint,
)
from nip.scenarios.code_validation.generation.language_model_author import LanguageModelAuthor
from nip.scenarios.code_validation.generation.mutations.mutants import Mutant, make_mutants
from nip.scenarios.code_validation.generation.problem_tests import ProblemTests, make_tests
from nip.scenarios.code_validation.generation.rewrites.variants import canonical_form, rewrite
from nip.scenarios.code_validation.generation.sandbox.sandbox import Sandbox
from nip.scenarios.code_validation.generation.verification import Failure, verify
from nip.scenarios.code_validation.problems.problem import Problem
from nip.seeding import stable_seed

MUTANTS_PER_VARIANT = 16
"""Number of mutants from which the buggy program of a pair is chosen."""

TARGET_SHARES = ((0.0, 0.05, 0.3), (0.05, 0.2, 0.3), (0.2, 0.6, 0.28), (0.6, 1.0, 0.12))
"""Ranges of the share of failed tests, each with the frequency of such programs."""

ANY_KIND_SHARE = 0.25
"""Probability that exceptions and timeouts are not ranked behind wrong answers."""

OBVIOUS_ERRORS = ("NameError", "UnboundLocalError")
"""Exceptions of rejected programs, because linters find these mistakes without running them."""

MAX_FAILED_ATTEMPTS = 25
"""Consecutive rewrites without a new pair after which a problem counts as exhausted."""

VARIANTS_PER_REQUEST = 4
"""Number of requests to a language model for buggy variants of one program."""

MAX_FAILED_REQUESTS = 5
"""The same limit with a language model, whose requests may cost money."""


class Pair(NamedTuple):
    """A correct program and a buggy program made from it."""

    correct: GeneratedDatapoint
    buggy: GeneratedDatapoint


@dataclass(frozen=True)
class _Candidate:
    mutant: Mutant
    failure: Failure


class PairGenerator:
    """Generates pairs for one problem, one after the other.

    The correct program of a pair is a rewrite of one of the solutions that passes all tests. The
    buggy program is the same rewrite with one mistake, so that the two differ in nothing else, and
    the style of a program does not reveal its label.

    Parameters
    ----------
    seed : int
        Seed of the pairs, which do not depend on the calls of ``make``.
    author : LanguageModelAuthor, optional
        Language model that writes both programs of a pair instead; they are verified as well.
    """

    def __init__(
        self, problem: Problem, seed: int, author: LanguageModelAuthor | None = None
    ) -> None:
        self.problem = problem
        self.pairs: list[Pair] = []
        self.is_exhausted = False
        self._seed = seed
        self._author = author
        self._generator = random.Random(stable_seed(seed, "code_validation", "pairs", problem.name))
        self._tests: ProblemTests | None = None
        self._forms: set[str] = set()
        self._num_uses: Counter[str | None] = Counter()

    def make(
        self, count: int, sandbox: Sandbox, on_pair: Callable[[], None] = lambda: None
    ) -> None:
        """Generate pairs until there are ``count`` in total, or no new ones are found.

        ``on_pair`` is called after each new pair; an exception from it ends the generation.
        """
        if len(self.pairs) >= count or self.is_exhausted:
            return
        tests = self._set_tests(sandbox)
        num_failed = 0
        max_failed = MAX_FAILED_REQUESTS if self._author else MAX_FAILED_ATTEMPTS
        while len(self.pairs) < count and num_failed < max_failed:
            pair = self._make_pair(tests, sandbox)
            if pair is None:
                num_failed += 1
                continue
            num_failed = 0
            self.pairs.append(pair)
            on_pair()
        self.is_exhausted = len(self.pairs) < count

    def _set_tests(self, sandbox: Sandbox) -> ProblemTests:
        if self._tests is None:
            self._tests = make_tests(self.problem, sandbox, self._seed)
        else:
            sandbox.set_inputs(self._tests.inputs)
        return self._tests

    def _make_pair(self, tests: ProblemTests, sandbox: Sandbox) -> Pair | None:
        program = self._write_program()
        if program is None:
            return None
        form = canonical_form(program)
        if form in self._forms or not verify(program, tests, sandbox).is_correct:
            return None
        candidates = [
            candidate
            for mutant in self._write_mutants(program)
            if (candidate := self._examine(mutant, tests, sandbox)) is not None
        ]
        chosen = self._choose(candidates)
        if chosen is None:
            return None
        self._forms |= {form, canonical_form(chosen.mutant.program)}
        self._num_uses[chosen.mutant.mutation] += 1
        return self._describe(program, chosen, len(tests.inputs))

    def _write_program(self) -> str | None:
        """Write a program that is expected to be correct."""
        program = rewrite(self._generator.choice(self.problem.solutions), self._generator)
        if self._author is None:
            return program
        return self._author.rewrite(self.problem, program, self._generator.getrandbits(31))

    def _write_mutants(self, program: str) -> list[Mutant]:
        """Write programs that are expected to be buggy."""
        if self._author is None:
            return make_mutants(program, MUTANTS_PER_VARIANT, self._generator)
        seeds = [self._generator.getrandbits(31) for _ in range(VARIANTS_PER_REQUEST)]
        written = self._author.break_program(self.problem, program, seeds)
        return [Mutant(variant, None) for variant in written]

    def _examine(self, mutant: Mutant, tests: ProblemTests, sandbox: Sandbox) -> _Candidate | None:
        failure = verify(mutant.program, tests, sandbox).failure
        if failure is None or failure.actual.startswith(OBVIOUS_ERRORS):
            return None
        return _Candidate(mutant, failure)

    def _describe(self, program: str, chosen: _Candidate, num_tests: int) -> Pair:
        origins = ("language_model",) * 2 if self._author else ("rewrite", "mutation")
        mutant = chosen.mutant
        return Pair(
            correct_datapoint(self.problem, program, origins[0], num_tests),
            buggy_datapoint(
                self.problem,
                mutant.program,
                origins[1],
                num_tests,
                chosen.failure,
                mutant.mutation,
            ),
        )

    def _choose(self, candidates: list[_Candidate]) -> _Candidate | None:
        """Choose a new buggy program by kind, share of failed tests and rarity of its mistake."""
        weights = [weight for _, _, weight in TARGET_SHARES]
        (low, high, _) = self._generator.choices(TARGET_SHARES, weights)[0]
        takes_any_kind = self._generator.random() < ANY_KIND_SHARE

        def rank(candidate: _Candidate) -> tuple[bool, float, int]:
            share = candidate.failure.tests_failed_share
            is_other_kind = candidate.failure.kind != "wrong_answer" and not takes_any_kind
            distance = max(low - share, share - high, 0.0)
            return is_other_kind, distance, self._num_uses[candidate.mutant.mutation]

        for candidate in sorted(candidates, key=rank):
            if canonical_form(candidate.mutant.program) not in self._forms:
                return candidate
        return None
