"""Every field of every group says in one line what it means."""

import pytest

from nip.parameters import (
    DebateProtocolParameters,
    GraphIsomorphismAgentParameters,
    SubParameters,
    field_rules,
    parameter_classes,
)
from nip.parameters.tree.field_docs import field_docs


@pytest.mark.parametrize("name", parameter_classes.names())
def test_every_field_has_one_line_of_text(name: str) -> None:
    cls = parameter_classes[name]
    docs = field_docs(cls)
    assert list(docs) == [field for field in field_rules(cls) if field in docs]
    assert set(docs) == set(field_rules(cls))
    for field, doc in docs.items():
        assert doc.endswith("."), field
        assert "\n" not in doc, field


def test_inherited_fields_have_the_text_of_their_class() -> None:
    docs = field_docs(DebateProtocolParameters)
    assert docs["min_message_rounds"].startswith("Minimum number of rounds")
    assert docs["sequential"].startswith("Let the provers speak one after another")


def test_text_above_a_field_or_elsewhere_does_not_count() -> None:
    docs = field_docs(GraphIsomorphismAgentParameters)
    assert "is_random" not in docs
    assert docs["activation_function"] == (
        "Activation function of the graph network and of all heads."
    )


def test_a_class_without_source_has_no_texts() -> None:
    namespace: dict[str, type[SubParameters]] = {}
    exec(  # A class typed at a prompt.
        "from dataclasses import dataclass\n"
        "from nip.parameters import SubParameters\n"
        "@dataclass\n"
        "class Typed(SubParameters):\n"
        "    size: int = 1\n",
        namespace,
    )
    assert field_docs(namespace["Typed"]) == {}
