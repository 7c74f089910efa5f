"""Lists of parts that are chosen by name."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from nip.errors import ParameterError
from nip.parameters import HyperParameters
from nip.parameters.callbacks import CsvParameters, EarlyStoppingParameters
from nip.parameters.named_components import (
    LossTermParameters,
    NamedComponent,
    build_named_components,
    loss_term_specs,
)
from nip.parameters.parameters_base import register_parameter_class
from nip.parameters.types import Count
from nip.registry import Registry
from tests.parameters.examples import make_tree

EARLY = {"name": "early_stopping", "monitor": "mean_accuracy", "patience": 3}


@register_parameter_class
@dataclass
class HammerParameters(NamedComponent):
    """A part with an option."""

    weight: Count = 5
    """An option."""


@dataclass(frozen=True)
class ToolFacts:
    """What is known of a part."""

    parameters: type[NamedComponent]
    """Class of its options."""


TOOLS: Registry[ToolFacts] = Registry("tool")
TOOLS.register("hammer", ToolFacts(HammerParameters))
TOOLS.register("tongs", ToolFacts(NamedComponent))

HAMMER, TONGS = HammerParameters("hammer"), NamedComponent("tongs")


def tools(value: Any, ignore_unknown: bool = False) -> tuple[Any, ...]:
    return build_named_components(value, "tools", "tool", TOOLS, ignore_unknown)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, ()),
        ((), ()),
        ([], ()),
        ("hammer", (HAMMER,)),
        ({"name": "hammer"}, (HAMMER,)),
        (HAMMER, (HAMMER,)),
        (["tongs", {"name": "hammer", "weight": 7}], (TONGS, HammerParameters("hammer", 7))),
        ((HammerParameters("hammer", 7), "tongs"), (HammerParameters("hammer", 7), TONGS)),
        # One part may stand there twice.
        (["hammer", "hammer"], (HAMMER, HAMMER)),
    ],
)
def test_an_entry_is_a_name_a_mapping_or_an_instance(given: Any, expected: Any) -> None:
    assert tools(given) == expected


def test_what_was_given_is_not_what_is_kept() -> None:
    given = HammerParameters("hammer")
    (kept,) = tools([given])
    assert kept is not given


def test_the_name_is_no_option() -> None:
    assert HammerParameters("hammer", 7).options == {"weight": 7}
    assert TONGS.options == {}


@pytest.mark.parametrize("entry", [5, None, [], {}, {"weight": 3}, {"name": 5}])
def test_an_entry_without_a_name_is_refused_with_an_example(entry: Any) -> None:
    with pytest.raises(ParameterError) as caught:
        tools(["hammer", entry])
    assert str(caught.value) == (
        "tools[1] must be the name of a tool, or a mapping with a name and options, got "
        f"{entry!r}. Write for example hammer, or {{name: hammer}}."
    )


def test_all_problems_are_told_at_once_with_their_places() -> None:
    with pytest.raises(ParameterError) as caught:
        tools(["hamer", {"name": "hammer", "weight": 0}, {"name": "hammer", "wait": 3}])
    assert list(caught.value.problems) == [
        "tools[0]: There is no tool 'hamer'. Did you mean 'hammer'? Known: hammer, tongs.",
        "tools[1].weight must be an integer, at least 1, got 0. The default is 5.",
        "There is no parameter 'tools[2].wait'. Did you mean 'tools[2].weight'?",
    ]


def test_unknown_options_may_be_left_out() -> None:
    assert tools([{"name": "hammer", "wait": 3}], ignore_unknown=True) == (HAMMER,)


@pytest.mark.parametrize(
    ("field", "given", "expected"),
    [
        ("callbacks", "csv", (CsvParameters(),)),
        (
            "callbacks",
            ["csv", EARLY],
            (CsvParameters(), EarlyStoppingParameters(monitor="mean_accuracy", patience=3)),
        ),
        (
            "loss_terms",
            ["l2", {"name": "proximal", "weight": 0.5}],
            (LossTermParameters("l2"), LossTermParameters("proximal", 0.5)),
        ),
    ],
)
def test_parts_survive_the_way_through_dictionary_json_and_yaml(
    field: str, given: Any, expected: Any
) -> None:
    tree = make_tree(**{field: given})
    assert getattr(tree, field) == expected
    stored = tree.to_dict()
    # Stored are plain mappings, all options included.
    assert [entry["name"] for entry in stored[field]] == [part.name for part in expected]
    for copy in (
        HyperParameters.from_dict(stored),
        HyperParameters.from_dict(json.loads(json.dumps(stored))),
        HyperParameters.from_yaml(tree.to_yaml()),
    ):
        assert copy == tree
        assert getattr(copy, field) == expected


def test_a_list_is_changed_as_a_whole() -> None:
    tree = make_tree(callbacks=["csv", EARLY])
    changed = tree.with_changes({"callbacks": ["csv"]})
    assert changed.callbacks == (CsvParameters(),)
    assert tree.with_changes({"seed": 1}).callbacks == tree.callbacks


def test_a_misspelt_option_may_be_ignored_in_a_stored_tree() -> None:
    stored = make_tree(callbacks=[EARLY]).to_dict()
    stored["callbacks"][0]["patiense"] = 4
    with pytest.raises(ParameterError, match=r"Did you mean 'callbacks\[0\]\.patience'"):
        HyperParameters.from_dict(stored)
    tree = HyperParameters.from_dict(stored, ignore_unknown=True)
    assert tree == make_tree(callbacks=[EARLY])


@pytest.mark.parametrize("field", ["callbacks", "loss_terms"])
def test_a_part_of_another_list_is_refused_by_its_name(field: str) -> None:
    part = LossTermParameters("l2") if field == "callbacks" else CsvParameters()
    with pytest.raises(ParameterError, match=rf"{field}\[0\]: There is no .* {part.name!r}"):
        make_tree(**{field: [part]})


def test_the_built_in_loss_terms_are_known_without_torch_and_weigh_1() -> None:
    assert {"l2", "proximal"} <= set(loss_term_specs.names())
    assert make_tree(loss_terms=["l2"]).loss_terms == (LossTermParameters("l2", weight=1.0),)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"name": "l2", "weight": -1},
            "loss_terms[0].weight must be a finite number, at least 0, got -1. The default is 1.0.",
        ),
        (
            {"name": "l2", "weigth": 1},
            "There is no parameter 'loss_terms[0].weigth'. Did you mean 'loss_terms[0].weight'?",
        ),
        (
            "proximl",
            "loss_terms[0]: There is no loss term 'proximl'. Did you mean 'proximal'? Known: ",
        ),
    ],
)
def test_a_mistake_in_a_loss_term_names_value_rule_and_way_out(given: Any, message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        make_tree(loss_terms=[given])
    assert str(caught.value).startswith(message)
