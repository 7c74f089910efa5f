"""Checks that all ranks of a data-parallel training run the same experiment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import metadata
from typing import TYPE_CHECKING, Any

from nip.errors import ParameterError
from nip.parameters.tree.difference import difference
from nip.parameters.tree.migrations import package_stamp
from nip.utils.ranks import Ranks

if TYPE_CHECKING:
    from nip.experiment.checked import CheckedExperiment
    from nip.scenario_instance import ScenarioInstance


def check_same_experiment(experiment: CheckedExperiment, ranks: Ranks) -> None:
    """Raise ``ParameterError`` on all ranks if parameters, run or versions differ between them."""
    if ranks.size == 1:
        return
    own = {
        **experiment.hyper_params.to_dict(),
        "run_id": experiment.run_id,
        "resume": experiment.resume,
        "version of nip": package_stamp()["_package_version"],
        "version of torch": metadata.version("torch"),
    }
    _check_same(own, ranks, "Start all of them with the same command and the same software.")


def check_same_data(instance: ScenarioInstance, ranks: Ranks) -> None:
    """Raise ``ParameterError`` on all ranks if their datasets differ."""
    if ranks.size == 1:
        return
    named = {f"digest of the {name}": digest for name, digest in instance.digests().items()}
    _check_same(named, ranks, "Copy the files of rank 0 to all machines.")


def _check_same(own: Mapping[str, Any], ranks: Ranks, remedy: str) -> None:
    first, *others = map(json.loads, ranks.gather_texts(json.dumps(own)))
    for number, other in enumerate(others, start=1):
        if different := difference(first, other):
            listing = "\n".join(f"  {each}" for each in different)
            raise ParameterError(
                f"Rank {number} differs from rank 0 (rank 0 → rank {number}):\n{listing}\n{remedy}"
            )
