"""Names of the runs of a sweep, derived from the parameters in which they differ."""

import re
from collections.abc import Sequence

from hydra.core.override_parser.types import Override


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
        f"{name if is_unique else each.key_or_group}-{each.get_value_element_as_str()}"
        for name, each in zip(short, swept, strict=True)
    ]
    return "-".join(
        [run_id, *(re.sub(r"[^A-Za-z0-9._-]+", "_", part).strip("_") for part in parts)]
    )
