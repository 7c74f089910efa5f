"""Names of the runs of a sweep, derived from the parameters in which they differ."""

import re
from collections.abc import Sequence

from hydra.core.override_parser.types import Override

from nip.command_line.overrides import parse_overrides
from nip.errors import ParameterError


def keys_without_sweep(overrides: Sequence[Override]) -> list[str]:
    """Return the names of parameters that have the same value in all jobs of a sweep."""
    swept = {each.key_or_group for each in overrides if each.is_sweep_override()}
    return sorted({"run_id", *(each.key_or_group for each in overrides)} - swept)


def name_of_job(run_id: str, overrides: Sequence[Override], not_swept: Sequence[str]) -> str:
    """Append the swept parameters of a job to the name of a sweep: ``grid-seed-1``.

    Parameters in ``not_swept`` have the same value in all jobs; it is empty outside a sweep. A name
    that is itself swept, or refers to other parameters, is returned unchanged.
    """
    names_itself = any(
        each.key_or_group == "run_id" and "${" in str(each.value()) for each in overrides
    )
    if not not_swept or names_itself or "run_id" not in not_swept:
        return run_id
    swept = [each for each in overrides if each.key_or_group not in not_swept]
    short = [each.key_or_group.rpartition(".")[2] for each in swept]
    is_unique = len(set(short)) == len(short)
    parts = [
        f"{name if is_unique else each.key_or_group}-{_text_of(each)}"
        for name, each in zip(short, swept, strict=True)
    ]
    return "-".join(
        [run_id, *(re.sub(r"[^A-Za-z0-9._-]+", "_", part).strip("_") for part in parts)]
    )


def check_names_of_jobs(jobs: Sequence[tuple[str | None, Sequence[str]]]) -> None:
    """Refuse jobs of a sweep that would be one run.

    A job is its run id, None for a generated one, and its arguments. Raise ``ParameterError`` if
    two have the same run id.
    """
    seen: dict[str, Sequence[str]] = {}
    for run_id, arguments in jobs:
        if run_id is not None and run_id in seen:
            raise ParameterError(
                f"Two jobs of the sweep would be the run {run_id!r}: {' '.join(seen[run_id])} and "
                f"{' '.join(arguments)}. Leave out values that are given twice, or name the jobs "
                "by a value in which they differ, such as 'run_id=grid-${seed}'."
            )
        if run_id is not None:
            seen[run_id] = arguments


def check_seeds_of_jobs(jobs: Sequence[tuple[Sequence[int], Sequence[str]]]) -> None:
    """Refuse jobs of a sweep that would train the same seed, if one trains several seeds.

    A job is its seeds and its arguments. Raise ``ParameterError`` if two that differ in nothing
    else have a seed in common.
    """
    if all(len(seeds) == 1 for seeds, _ in jobs):
        return  # Jobs that are equal have equal names.
    seen: dict[tuple[tuple[str, ...], int], Sequence[str]] = {}
    for seeds, arguments in jobs:
        others = tuple(
            str(each.input_line)
            for each in parse_overrides(arguments)
            if each.key_or_group not in ("seed", "num_parallel_seeds")
        )
        for seed in seeds:
            if (others, seed) in seen:
                raise ParameterError(
                    f"Two jobs of the sweep would train seed {seed}: "
                    f"{' '.join(seen[others, seed])} and {' '.join(arguments)}. "
                    "num_parallel_seeds=N trains the N seeds from seed on: choose first seeds that "
                    "are at least N apart, or leave one of the two parameters out."
                )
            seen[others, seed] = arguments


def _text_of(override: Override) -> str:
    value = override.value()
    return value if isinstance(value, str) else str(override.get_value_element_as_str())
