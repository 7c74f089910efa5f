"""Whatever is given for a parameter is accepted, or refused with one message; nothing else."""

import warnings
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from nip.command_line.application import check_arguments
from nip.errors import NipError, NipWarning
from nip.parameters import scenario_specs
from tests.command_line.bad_values import (
    REFERENCES,
    VALUES,
    base_tree,
    check_with,
    parameters_of,
    write_splits,
)
from tests.fork_server import REPOSITORY

BASES = {
    "graphs": ["experiment=gi_demo"],
    "texts": ["experiment=cv_nip_ei_rehearsal"],
    "images": ["scenario=image_classification", "dataset=digits", "trainer=vanilla_ppo"],
    "games": ["scenario=matrix_games", "dataset=tandem", "trainer=spg"],
    "quotes": [
        "scenario=quotes",
        "dataset=facts",
        "trainer=pure_text_ei",
        "agents._default.use_dummy_api=true",
    ],
    "toy": ["scenario=toy", "dataset=witness", "trainer=reinforce"],
}
"""An experiment of each scenario."""

MEMORY = 16 * 10**9


@pytest.fixture(autouse=True)
def machine(working_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with a dataset, on a machine whose memory is known."""
    write_splits(working_folder / "data")
    monkeypatch.setattr("nip.experiment.checks.memory_limit", lambda: MEMORY)


def complaint(base: str, name: str, value: str) -> str | None:
    """Return the message about a value; None if it is accepted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NipWarning)
        try:
            check_with(trees()[base], name, value)
        except NipError as error:
            return str(error)
    return None


@cache
def trees() -> dict[str, dict[str, Any]]:
    """Compose each experiment."""
    return {base: base_tree(arguments) for base, arguments in BASES.items()}


@cache
def own_names() -> dict[str, list[str]]:
    """Return the parameters of each experiment that none before it has."""
    names: dict[str, list[str]] = {}
    for base, tree in trees().items():
        known = {name for others in names.values() for name in others}
        names[base] = [name for name in parameters_of(tree) if name not in known]
    return names


def check_all(base: str, share: int) -> None:
    """Check one of ``share`` pairs of a name and a value."""
    unnamed, long = [], []
    for number, name in enumerate(own_names()[base]):
        for value in VALUES[number % share :: share]:
            message = complaint(base, name, value)
            if message is None:
                continue
            words = name.split(".")[-1].replace("_", " ")
            is_named = words in message.replace("_", " ") or value in message
            if not is_named and not words.endswith("Schedule"):
                unnamed.append((name, value[:20], message[:200]))
            if len(message) > 2000:
                long.append((name, value[:20], message[:200]))
    assert not unnamed, "\n".join(map(str, unnamed))
    assert not long, {name for name, *_ in long}


@pytest.mark.grid
@pytest.mark.parametrize("base", BASES)
def test_bad_values_of_all_parameters_are_accepted_or_refused_with_one_message(base: str) -> None:
    check_all(base, share=6)


@pytest.mark.slow
@pytest.mark.parametrize("base", BASES)
def test_every_bad_value_of_each_parameter_is_accepted_or_refused_with_one_message(
    base: str,
) -> None:
    check_all(base, share=1)


def test_there_is_an_experiment_of_each_scenario() -> None:
    assert {tree["scenario"] for tree in trees().values()} == set(scenario_specs)


@pytest.mark.grid
@pytest.mark.parametrize("value", [*REFERENCES, "'\udcff'", "'\0'", "[" * 3000, f"1{'0' * 5000}"])
@pytest.mark.parametrize("name", ["seed", "dataset", "rl", "rl.lr", "agents.verifier.d_gnn"])
def test_what_hydra_resolves_or_cannot_read_ends_with_one_message(
    name: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        check_arguments([*BASES["graphs"], f"{name}={value}"], REPOSITORY / "configs")
    except SystemExit as leaving:
        code = leaving.code
    else:
        code = 0
    assert code == 0 or (code == 2 and capsys.readouterr().err.startswith("error: "))
