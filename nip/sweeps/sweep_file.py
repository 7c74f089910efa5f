"""The YAML file of a sweep: what is varied, over which values, and where the runs are executed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from nip.errors import ParameterError, StorageError, shown
from nip.parameters.fields.value_limits import problem_with_path
from nip.parameters.parameters_base import SubParameters, field_rules
from nip.parameters.tree.yaml_text import load_mapping
from nip.parameters.types import Count, JsonObject, Positive, Seed
from nip.run_store.run_id import check_run_id
from nip.sweeps.space import problem_with_range
from nip.utils.files import read_text

SearchType = Literal["grid", "list", "random", "optuna"]
"""Ways of choosing the values."""

RESERVED = ("run_id", "resume", "dry_run", "settings.shared_budget")
"""Names that each cell sets itself."""

_MAX_NAME = 60
"""Longest name of a sweep, which leaves room for values in the run ids."""


@dataclass
class SweepParameters(SubParameters):
    """Content of the file of a sweep."""

    name: str | None = None
    """Beginning of all run ids; by default the name of the file."""

    base: dict[str, Any] = field(default_factory=dict)
    """Parameters that all runs share, by dotted name, as on the command line of an experiment."""

    search: SearchType = "grid"
    """``grid``: all combinations; ``list``: those given; ``random`` and ``optuna``: trials."""

    parameters: dict[str, Any] = field(default_factory=dict)
    """Values of each parameter: a list, or for trials also a range ``{low, high, log}``."""

    combinations: tuple[dict[str, Any], ...] = ()
    """Combinations of a ``list``, each with values by dotted name."""

    seeds: tuple[Seed, ...] = ()
    """Seeds of each combination, of which each is a run; by default one run with its seed."""

    num_trials: Count | None = None
    """Number of combinations that ``random`` or ``optuna`` chooses."""

    search_seed: Seed = 0
    """Seed of ``random`` and ``optuna``."""

    metric: str | None = None
    """Metric that ``optuna`` improves: its last value, averaged over the seeds."""

    direction: Literal["maximize", "minimize"] = "maximize"
    """What ``optuna`` does with the metric."""

    batch_size: Count = 4
    """Trials that ``optuna`` proposes at once, from the results of all earlier batches."""

    launcher: str = "processes"
    """Where runs are executed: ``processes``, ``submitit``, ``slurm`` or ``ray``."""

    workers: Count = 1
    """Largest number of runs at once."""

    launcher_options: JsonObject = field(default_factory=dict)
    """Options of the launcher, such as the partition of Slurm."""

    max_cost: Positive | None = None
    """Budget in dollars of all runs together, which no call or job may exceed even at worst."""

    dry_run: bool = False
    """Whether to report runs, calls, costs and hours instead of running."""

    @classmethod
    def root_path(cls) -> str:
        """Return no prefix: the names in messages are those of the file."""
        return ""

    def find_problems(self, at: Callable[[str], str]) -> Iterator[str]:
        """Yield a message for each impossible combination of fields."""
        yield from self._problems_with_names()
        if self.search == "list":
            yield from self._problems_with_combinations()
        else:
            yield from self._problems_with_values()
        yield from self._problems_with_search()
        repeated = sorted({seed for seed in self.seeds if self.seeds.count(seed) > 1})
        if repeated:
            yield f"seeds must differ, got {repeated[0]} more than once. Leave out the repetition."

    def _problems_with_names(self) -> Iterator[str]:
        varied = [name for each in self.combinations for name in each] + [*self.parameters]
        for name in dict.fromkeys([*self.base, *varied]):
            if name in RESERVED or name.split(".")[0].split("/")[0] == "hydra":
                yield f"{name} cannot be set in a sweep, because each run sets it. Leave it out."
        for name in dict.fromkeys(varied):
            if name in self.base:
                yield f"{name} is both in base and among the varied parameters. Leave out one."
        if self.seeds and "seed" in (*self.base, *varied):
            yield "seed is given although there are seeds. Leave out one of them."
        if self.name is not None:
            try:
                check_run_id(self.name, "name")
            except ParameterError as error:
                yield str(error)
            else:
                if len(self.name) > _MAX_NAME:
                    yield f"name must have at most {_MAX_NAME} characters, got {len(self.name)}."

    def _problems_with_combinations(self) -> Iterator[str]:
        if not self.combinations:
            yield "search=list needs combinations: a list of mappings from names to values."
        if self.parameters:
            yield "parameters have no effect with search=list. Move their values to combinations."

    def _problems_with_values(self) -> Iterator[str]:
        if self.combinations:
            yield f"combinations have no effect with search={self.search}. Use search=list."
        may_be_range = self.search != "grid"
        for name, values in self.parameters.items():
            if isinstance(values, Mapping) and may_be_range:
                if problem := problem_with_range(values):
                    yield f"parameters: {name} {problem}"
            elif not isinstance(values, Sequence) or isinstance(values, str) or not values:
                ranges = ", or a range such as {low: 0.1, high: 1.0}" if may_be_range else ""
                yield (
                    f"parameters: {name} must be a list of at least one value{ranges}, got "
                    f"{shown(values)}. Write a single value as [value], or move it to base."
                )
            elif repeated := [each for each in values if list(values).count(each) > 1]:
                yield f"parameters: {name} has {shown(repeated[0])} twice. Leave out one."

    def _problems_with_search(self) -> Iterator[str]:
        chooses = self.search in ("random", "optuna")
        if chooses and self.num_trials is None:
            yield f"search={self.search} needs num_trials, the number of combinations to choose."
        if chooses and not self.parameters:
            yield f"search={self.search} needs parameters to choose, got none."
        if not chooses and self.num_trials is not None:
            yield f"num_trials has no effect with search={self.search}. Leave it out."
        if self.search == "optuna" and self.metric is None:
            yield "search=optuna needs metric, the name of the metric that it improves."
        if self.search != "optuna" and self.metric is not None:
            yield f"metric has no effect with search={self.search}. Leave it out."


def read_sweep_file(path: Path, changes: Sequence[str] = ()) -> SweepParameters:
    """Read and check the file of a sweep.

    Parameters
    ----------
    path : Path
        The file.
    changes : sequence of str
        Names of fields with other values, such as ``workers=4``.

    Raises
    ------
    ParameterError
        If the file is missing or invalid.
    """
    if problem := problem_with_path(str(path)):
        raise ParameterError(f"The file of a sweep {shown(str(path))} cannot be read: {problem}.")
    try:
        text = read_text(path)
    except StorageError as error:  # It says what is wrong with the file.
        if path.is_dir():
            raise ParameterError(
                f"The file of a sweep {str(path)!r} cannot be read: it is a folder. Give a YAML "
                "file, such as doc/examples/sweep.yaml."
            ) from error
        raise ParameterError(f"The sweep cannot be read: {error}") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise ParameterError(
            f"The file of a sweep {str(path)!r} cannot be read: {reason}. Give a YAML file, such "
            "as doc/examples/sweep.yaml."
        ) from error
    try:
        tree = load_mapping(text)
        parameters = SweepParameters.from_dict({"name": path.stem, **tree, **_parse(changes)})
    except ParameterError as error:
        raise ParameterError(*(f"{path}: {problem}" for problem in error.problems)) from error
    return parameters


def _parse(changes: Sequence[str]) -> dict[str, Any]:
    """Parse fields that are given on the command line."""
    known = ", ".join(field_rules(SweepParameters))
    for word in changes:
        if "=" not in word:
            raise ParameterError(
                f"{shown(word)} must be a field of the file and a value, such as workers=4. "
                f"Fields: {known}."
            )
    pairs = [word.partition("=") for word in changes]
    return {key: load_mapping(f"value: {value}").get("value") for key, _, value in pairs}
