"""The tables of callbacks, schedules, loss terms and components are complete."""

import dataclasses
import re
import typing

import pytest

from nip.parameters import CallbackParameters, LrSchedulerParameters, OptimizerParameters
from nip.parameters.callbacks import callback_specs
from nip.parameters.named_components import loss_term_specs
from nip.trainers.core.components import TrainerComponents
from tests.doc.pages import section


def first_column(text: str) -> list[str]:
    rows = re.findall(r"^\| (\[?`.+?) \|", text, re.M)
    # Defaults stand behind the names, in brackets.
    rows = [re.sub(r" \([^)]*\)", "", row) for row in rows]
    return [name for row in rows for name in re.findall(r"`(\w+)`", row)]


def choices(cls: type, field: str) -> set[str]:
    return set(typing.get_args(typing.get_type_hints(cls)[field]))


def test_the_table_of_callbacks_lists_all_and_says_who_only_looks_on() -> None:
    rows = re.findall(
        r"^\| \[`(\w+)`\]\([^)]+\) \| [^|]+ \| ([^|]+) \|",
        section("callbacks", "Built-in callbacks"),
        re.M,
    )
    # Plugins of other tests may have registered some of their own.
    ours = [name for name, facts in callback_specs.items() if "nip." in facts.parameters.__module__]
    assert [name for name, _ in rows if name not in ours] == []
    assert {name: kind == "observer" for name, kind in rows} == {
        name: callback_specs[name].is_observer
        for name in ours
        if callback_specs[name].parameters is not CallbackParameters
    }


@pytest.mark.parametrize(
    ("page", "heading", "name"),
    [
        ("evaluation", "Early stopping", "early_stopping"),
        ("loggers", "Weights and Biases", "wandb"),
    ],
)
def test_the_table_of_a_callback_lists_its_options(page: str, heading: str, name: str) -> None:
    fields = {field.name for field in dataclasses.fields(callback_specs[name].parameters)}
    assert set(first_column(section(page, heading))) == fields - {"name"}


def test_the_tables_of_schedules_and_terms_are_complete() -> None:
    schedules = first_column(section("optimization", "Learning rate schedules"))
    assert set(schedules) == choices(LrSchedulerParameters, "name")
    terms = first_column(section("optimization", "Loss terms"))
    assert set(terms) == {"l2", "proximal"} <= set(loss_term_specs.names())


def test_all_optimizers_and_components_are_named() -> None:
    named = re.findall(r"`(\w+)`", section("optimization", "Optimizers"))
    assert choices(OptimizerParameters, "name") <= set(named)
    components = {field.name for field in dataclasses.fields(TrainerComponents)}
    assert set(first_column(section("optimization", "Components"))) == components
