"""Generation of a whole dataset, with several worker processes."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Event

from nip.errors import ParameterError
from nip.scenarios.code_validation.generation.datapoints import GeneratedDatapoint
from nip.scenarios.code_validation.generation.language_model_author import LanguageModelAuthor
from nip.scenarios.code_validation.generation.pair_generator import PairGenerator
from nip.scenarios.code_validation.generation.sandbox.isolation import DESCRIPTIONS, IsolationMode
from nip.scenarios.code_validation.generation.sandbox.sandbox import Sandbox
from nip.scenarios.code_validation.generation.splitting import (
    check_test_share,
    deal,
    split_problems,
)
from nip.scenarios.code_validation.problems.problem import Problem
from nip.seeding import stable_seed
from nip.utils.memory_limit import MemoryNeed, memory_limit, problem_with_memory

MAX_WORKERS = 1024
"""Largest number of worker processes, far above the cores of a machine."""

BYTES_OF_DATAPOINT = 500
"""Least size of a datapoint: the text of a problem and of a program."""


@dataclass(frozen=True)
class DatasetBuilderParameters:
    """Parameters of a generated dataset."""

    num_datapoints: int = 2000
    """Number of programs in both splits together; must be even, half of them are correct."""

    test_share: float = 0.2
    """Share of the problems, and of the datapoints, in the test split."""

    seed: int = 0
    """Seed of the dataset, which does not depend on the number of workers."""

    def num_pairs(self) -> dict[str, int]:
        """Return the number of pairs (one correct, one buggy) in each split.

        Raises
        ------
        ParameterError
            If a split would be empty, or the number is odd.
        """
        if self.num_datapoints < 4 or self.num_datapoints % 2:
            raise ParameterError(
                f"--num-datapoints must be an even number of at least 4 (one correct and one buggy "
                f"program in each split), got {self.num_datapoints}."
            )
        options = {"--num-datapoints": self.num_datapoints}
        need = MemoryNeed("the dataset", options, BYTES_OF_DATAPOINT * self.num_datapoints)
        if problem := problem_with_memory([need], memory_limit()):
            raise ParameterError(problem)
        total = self.num_datapoints // 2
        check_test_share(self.test_share)
        num_test = min(max(round(self.test_share * total), 1), total - 1)
        return {"train": total - num_test, "test": num_test}


class _StoppedError(Exception):
    """The generation was stopped because another worker failed."""


Splits = dict[str, list[GeneratedDatapoint]]


def make_dataset(
    problems: Sequence[Problem],
    parameters: DatasetBuilderParameters,
    num_workers: int = 1,
    progress: Callable[[int], None] = lambda _: None,
    author: LanguageModelAuthor | None = None,
    isolation: IsolationMode | None = None,
) -> Splits:
    """Generate the datapoints of both splits.

    Every split and every problem has as many correct as buggy programs. No problem is in both
    splits, and no program occurs twice, not even with renamed variables.

    Parameters
    ----------
    num_workers : int
        Number of processes that run programs, at least 1. It does not change the result.
    progress : callable
        Called repeatedly with the number of new datapoints.
    author : LanguageModelAuthor, optional
        Language model that writes the programs instead of rewrites and mutations.
    isolation : IsolationMode, optional
        How programs are isolated; see ``choose_isolation`` for the default.

    Raises
    ------
    ParameterError
        If the parameters are invalid, or the problems yield too few datapoints.
    SandboxError
        If programs cannot be run on this machine.
    """
    num_pairs = parameters.num_pairs()
    isolation = choose_isolation(isolation, has_author=author is not None)
    split = split_problems(problems, parameters.test_share, parameters.seed)
    generators = {
        name: [PairGenerator(problem, parameters.seed, author) for problem in group]
        for name, group in split.items()
    }
    with _Workers(num_workers, progress, author, isolation) as workers:
        counts = _make_pairs(generators, num_pairs, workers)
    return {
        name: _shuffled(group, counts[name], name, parameters.seed)
        for name, group in generators.items()
    }


def choose_isolation(wanted: IsolationMode | None, has_author: bool) -> IsolationMode:
    """Return how programs are isolated: as wanted, or else as well as this machine can.

    Raises
    ------
    ParameterError
        If a language model writes the programs, and the only mode of this machine is ``minimal``,
        which must be asked for.
    SandboxError
        If this machine does not have the mode that is wanted.
    """
    with Sandbox(mode=wanted) as sandbox:
        mode, reasons = sandbox.mode, sandbox.reasons()
    if has_author and wanted is None and mode == "minimal":
        raise ParameterError(
            f"Programs by a language model are not run with {DESCRIPTIONS[mode]}. Better modes are "
            f"missing here ({reasons}). Provide what they need, or accept the danger, on a machine "
            "that has nothing to lose, with --isolation minimal."
        )
    return mode


def _make_pairs(
    generators: Mapping[str, Sequence[PairGenerator]],
    num_pairs: Mapping[str, int],
    workers: "_Workers",
) -> dict[str, list[int]]:
    """Run all generators until there are enough pairs; return how many to take from each."""
    while True:
        counts: dict[str, list[int]] = {}
        tasks: list[tuple[PairGenerator, int]] = []
        for split, group in generators.items():
            dealt = deal(num_pairs[split], [_capacity(generator) for generator in group])
            if dealt is None:
                raise _too_many(split, group, num_pairs[split])
            counts[split] = dealt
            tasks += zip(group, dealt, strict=True)
        missing = [(generator, count) for generator, count in tasks if len(generator.pairs) < count]
        if not missing:
            return counts
        workers.work(missing)


def _capacity(generator: PairGenerator) -> int | None:
    return len(generator.pairs) if generator.is_exhausted else None


def _too_many(split: str, group: Sequence[PairGenerator], num_pairs: int) -> ParameterError:
    available = 2 * sum(len(generator.pairs) for generator in group)
    return ParameterError(
        f"The {split} split should have {2 * num_pairs} datapoints, but its {len(group)} problems "
        f"yield only {available} different ones. Lower --num-datapoints, or give "
        "--problems more topics."
    )


def _shuffled(
    group: Sequence[PairGenerator], counts: Sequence[int], split: str, seed: int
) -> list[GeneratedDatapoint]:
    datapoints = [
        datapoint
        for generator, count in zip(group, counts, strict=True)
        for pair in generator.pairs[:count]
        for datapoint in pair
    ]
    random.Random(stable_seed(seed, "code_validation", "order", split)).shuffle(datapoints)
    return datapoints


class _Workers:
    """Pool of threads that run pair generators, each with a sandbox."""

    def __init__(
        self,
        count: int,
        progress: Callable[[int], None],
        author: LanguageModelAuthor | None,
        isolation: IsolationMode,
    ) -> None:
        if not 1 <= count <= MAX_WORKERS:
            raise ParameterError(
                f"--workers must be at least 1 and at most {MAX_WORKERS}, got {count}."
            )
        self._count = count
        self._progress = progress
        self._author = author
        self._isolation = isolation
        self._stopped = Event()
        self._free: SimpleQueue[Sandbox] = SimpleQueue()
        self._open = ExitStack()

    def __enter__(self) -> "_Workers":
        with ExitStack() as opening:
            for _ in range(self._count):
                self._free.put(opening.enter_context(Sandbox(mode=self._isolation)))
            self._open = opening.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.close()

    def work(self, tasks: Sequence[tuple[PairGenerator, int]]) -> None:
        """Run each generator up to its number of pairs; the failure of one stops all."""
        with ThreadPoolExecutor(self._count) as pool:
            futures = [pool.submit(self._fill, generator, count) for generator, count in tasks]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                self._stopped.set()
                if self._author is not None:
                    self._author.stop()
                pool.shutdown(cancel_futures=True)
                raise

    def _fill(self, generator: PairGenerator, count: int) -> None:
        with self._sandbox() as sandbox:
            generator.make(count, sandbox, self._on_pair)

    def _on_pair(self) -> None:
        if self._stopped.is_set():
            raise _StoppedError
        self._progress(2)

    @contextmanager
    def _sandbox(self) -> Iterator[Sandbox]:
        sandbox = self._free.get()
        try:
            yield sandbox
        finally:
            self._free.put(sandbox)
