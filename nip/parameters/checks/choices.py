"""Checks of the scenario, trainer, protocol and dataset that are chosen by name."""

from collections.abc import Mapping
from typing import Any

from nip.errors import shown, unknown_name
from nip.parameters.specs import (
    protocol_specs,
    scenario_specs,
    trainer_specs,
)
from nip.parameters.types import DataType

_DATA_WORDS: dict[DataType, str] = {"game": "games", "tensordict": "tensors", "text": "text"}


def problems_with_choices(data: Mapping[str, Any], default_protocol: str) -> list[str]:
    """Return messages about the scenario, trainer, protocol and dataset at the root of a tree.

    Values that are missing or not strings are reported by the checks of the single fields.
    """
    scenario, trainer = _given_name(data, "scenario"), _given_name(data, "trainer")
    problems = _problems_with_data(trainer, scenario)
    if not problems:
        if trainer is not None and trainer not in trainer_specs:
            problems.append(_unknown("trainer", trainer, list(trainer_specs)))
        if scenario is not None and scenario not in scenario_specs:
            problems.append(_unknown("scenario", scenario, list(scenario_specs)))
    protocol = _given_name(data, "interaction_protocol") or default_protocol
    if protocol not in protocol_specs:
        problems.append(_unknown("interaction_protocol", protocol, list(protocol_specs)))
    return problems + _problems_with_dataset(scenario, _given_name(data, "dataset"))


def _given_name(data: Mapping[str, Any], name: str) -> str | None:
    value = data.get(name)
    return value if isinstance(value, str) else None


def _unknown(parameter: str, name: str, known: list[str]) -> str:
    """Return the message about an unknown name."""
    kind = parameter.replace("_", " ")
    return f"{parameter}={shown(name)}: {unknown_name(kind, name, known)}"


def _problems_with_data(trainer: str | None, scenario: str | None) -> list[str]:
    """Return a message if the trainer and the scenario are for different types of data."""
    trainer_data = _data_of(trainer, trainer_specs)
    scenario_data = _data_of(scenario, scenario_specs)
    if trainer_data is None or scenario_data is None or trainer_data == scenario_data:
        return []
    if _learns(trainer, scenario_data):
        return []
    trainers = [name for name, spec in trainer_specs.items() if spec.learns(scenario_data)]
    way_out = f"Choose one of the trainers {', '.join(trainers)}" if trainers else ""
    scenarios = [name for name, spec in scenario_specs.items() if spec.data == trainer_data]
    if scenarios:
        other = f"one of the scenarios {', '.join(scenarios)}"
        way_out = f"{way_out}, or {other}" if way_out else f"Choose {other}"
    return [
        f"trainer={trainer!r} learns from {_words(trainer_data)}, but scenario={scenario!r} "
        f"is made of {_words(scenario_data)}. {way_out or 'Choose another pair'}."
    ]


def _learns(trainer: str | None, data: DataType) -> bool:
    """Return whether a trainer learns from a kind of data, which may be one of several."""
    return trainer is not None and trainer in trainer_specs and trainer_specs[trainer].learns(data)


def _words(data: DataType) -> str:
    return _DATA_WORDS.get(data, f"data of the kind {data!r}")


def _data_of(name: str | None, specs: Any) -> DataType | None:
    """Return the type of data of a trainer or scenario; None if it is not known."""
    if name is None or name not in specs:
        return None
    data: DataType = specs[name].data
    return data


def _problems_with_dataset(scenario: str | None, dataset: str | None) -> list[str]:
    """Return a message about a dataset that the scenario would have to generate but does not know.

    Datasets that are folders are checked later, by the scenario.
    """
    if scenario is None or dataset is None or scenario not in scenario_specs:
        return []
    known = scenario_specs[scenario].builtin_datasets
    if known is None or dataset in known:
        return []
    place = f"dataset={dataset!r} with scenario={scenario!r}"
    return [f"{place}: {unknown_name('dataset', dataset, known)}"]
