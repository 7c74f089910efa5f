"""The reference lists every parameter with values, default and meaning."""

from typing import Any

import pytest

from nip.parameters import scenario_specs
from nip.parameters.tree.command_line_tree import default_tree
from nip.parameters.tree.reference import parameter_reference, parameter_sections, written
from tests.parameters.examples import leaves_of


@pytest.mark.parametrize("scenario", scenario_specs.names())
def test_every_leaf_of_the_command_line_is_in_the_reference(scenario: str) -> None:
    leaves = leaves_of(default_tree(scenario, ["prover"]))
    wanted = {name.replace("agents._default.", "agents.<agent>.") for name in leaves}
    # A schedule without fields has no leaf of its own.
    wanted -= {"agents.<agent>.update_schedule.ConstantUpdateSchedule"}
    wanted = {name for name in wanted if not name.startswith("agents.prover.")}
    listed = [entry.name for section in parameter_sections() for entry in section.entries]
    # Agents of two scenarios may have an option of the same name, each in a section of its own.
    placed = [
        (section.title, entry.name) for section in parameter_sections() for entry in section.entries
    ]
    assert len(placed) == len(set(placed))
    assert wanted <= set(listed)


def test_an_entry_tells_values_default_and_meaning() -> None:
    entries = {entry.name: entry for section in parameter_sections() for entry in section.entries}
    lr = entries["rl.lr"]
    assert (lr.values, lr.default, lr.doc) == (
        "a finite number, above 0",
        "0.003",
        "Base learning rate.",
    )
    assert entries["trainer"].default == ""
    assert entries["rl.anneal_lr"].default == "false"
    assert entries["agents.<agent>.update_schedule._type"].default == "ConstantUpdateSchedule"
    assert all(entry.doc and entry.values for entry in entries.values())


def test_a_section_names_what_reads_the_group() -> None:
    docs = {section.title: section.doc for section in parameter_sections()}
    assert docs["`ppo`"].endswith(" Read with `trainer=spg`, `trainer=vanilla_ppo`.")
    assert docs["`debate_protocol`"].endswith(" Read with `interaction_protocol=debate`.")
    assert docs["`code_validation`"].endswith(" Read with `scenario=code_validation`.")
    trainers = ("pure_text_ei", "reinforce", "vanilla_ppo")
    assert all(f"`trainer={trainer}`" in docs["`rl`"] for trainer in trainers)
    assert "solo_agent" not in docs["`rl`"]
    assert "Read with" not in docs["`protocol_common`"]


def test_the_tables_have_four_columns() -> None:
    lines = parameter_reference().splitlines()
    rows = [line.replace("\\|", "") for line in lines if line.startswith("|")]
    assert {row.count("|") for row in rows} == {5}
    assert "| `dataset` | a string | *required* |" in parameter_reference()
    assert "## `ppo`" in lines


def test_the_options_of_callbacks_and_loss_terms_are_listed() -> None:
    entries = {entry.name: entry for section in parameter_sections() for entry in section.entries}
    assert entries["callbacks.early_stopping.patience"].default == "5"
    assert entries["callbacks.csv.name"].default == "csv"
    assert entries["loss_terms.l2.name"].default == "l2"
    assert entries["loss_terms.proximal.weight"].default == "1.0"
    assert "## Callback `wandb`" in parameter_reference()


def test_groups_of_plugins_are_listed(plugin_group: str) -> None:
    assert "`my_trainer.temperature`" in parameter_reference()
    assert "`my_trainer.temperature`" not in parameter_reference().replace(plugin_group, "")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null"),
        (True, "true"),
        (0.003, "0.003"),
        ("clip", "clip"),
        ((("a",), ("b", "c")), "[[a],[b,c]]"),
    ],
)
def test_defaults_are_written_as_on_the_command_line(value: Any, expected: str) -> None:
    assert written(value) == expected
