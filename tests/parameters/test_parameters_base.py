"""Groups check what they are given, whoever defines them."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from nip.errors import NipWarning, ParameterError, PluginError, UnknownNameError
from nip.parameters import (
    GROUP_DEFAULT,
    Group,
    LrFactors,
    PpoParameters,
    SubParameters,
    field_rules,
    parameter_classes,
    register_parameter_class,
)
from tests.parameters.plugin_example import PluginParameters


@dataclass
class Inner(SubParameters):
    size: int = 1
    """How large."""

    limit: int = 10
    """The largest that it may be."""

    def find_problems(self, at: Callable[[str], str]) -> Iterator[str]:
        if self.size > self.limit:
            yield f"{at('size')} must be at most {at('limit')}."


@dataclass
class LargerInner(Inner):
    depth: int = 2
    """How deep."""


@dataclass
class Outer(SubParameters):
    inner: Group[Inner] = GROUP_DEFAULT
    """What is inside."""

    doubled: int = dataclasses.field(init=False, default=0)
    """Twice the size inside."""

    def __post_init__(self) -> None:
        self.doubled = 2 * self.inner.size

    def find_warnings(self) -> Iterator[str]:
        if self.doubled > 10:
            yield "inner.size is large."


@pytest.fixture
def outer() -> Iterator[type[Outer]]:
    """Enter the classes for the time of one test."""
    written = {cls: cls.__init__ for cls in (Inner, LargerInner, Outer)}
    for cls in written:
        register_parameter_class(cls)
    yield Outer
    for cls, init in written.items():
        parameter_classes.unregister(cls.__name__)
        cls.__init__ = init  # type: ignore[method-assign]


def test_values_are_checked_by_position_and_by_name() -> None:
    assert LrFactors(0.5) == LrFactors(actor=0.5)
    with pytest.raises(ParameterError, match=r"^LrFactors\.actor must be"):
        LrFactors(-0.5)
    with pytest.raises(ParameterError, match=r"^PpoParameters\.clip_epsilon must be"):
        PpoParameters(clip_epsilon="0.1")  # type: ignore[arg-type]


def test_a_field_given_twice_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(TypeError, match="more than one value"):
        LrFactors(0.5, actor=0.5)  # type: ignore[misc]
    with pytest.raises(TypeError, match="more than one value"):
        LrFactors(0.5, 0.5, 0.5)  # type: ignore[call-arg]


def test_a_misspelt_field_is_refused_with_a_suggestion() -> None:
    with pytest.raises(
        ParameterError,
        match=r"'PpoParameters\.clip_epsilom'\. Did you mean 'PpoParameters\.clip_epsilon'\?",
    ):
        PpoParameters(clip_epsilom=0.1)  # type: ignore[call-arg]


def test_problems_are_named_from_the_root(outer: type[Outer]) -> None:
    with pytest.raises(ParameterError) as caught:
        outer.build({"inner": {"size": 11}}, "my.outer")
    assert str(caught.value) == "my.outer.inner.size must be at most my.outer.inner.limit."


def test_derived_fields_may_be_set_after_the_initialiser(outer: type[Outer]) -> None:
    made = outer(inner={"size": 3})
    assert made.doubled == 6
    assert "doubled" not in field_rules(outer)
    assert outer.from_dict(made.to_dict()) == made


def test_a_stored_derived_class_is_made_again(outer: type[Outer]) -> None:
    made = outer(inner=LargerInner(depth=3))
    stored = made.to_dict()
    assert stored["inner"] == {"_type": "LargerInner", "size": 1, "limit": 10, "depth": 3}
    assert outer.from_dict(stored).inner == LargerInner(depth=3)


@pytest.mark.parametrize(
    ("type_name", "message"),
    [
        ("LrFactors", r"^Outer\.inner\._type must name Inner or a class derived from it, got 'LrF"),
        ("Larger", r"^Outer\.inner\._type: There is no .*Did you mean 'LargerInner'"),
        (3, r"There is no parameter class '3'"),
    ],
)
def test_a_stored_class_of_another_kind_is_refused(
    outer: type[Outer], type_name: object, message: str
) -> None:
    with pytest.raises(ParameterError, match=message):
        outer.from_dict({"inner": {"_type": type_name}})


def test_warnings_are_given_once_the_group_is_right(outer: type[Outer]) -> None:
    with pytest.warns(NipWarning, match=r"inner\.size is large") as caught:
        outer(inner={"size": 6})
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_a_union_holds_its_first_parameter_class() -> None:
    assert field_rules(PluginParameters)["factors"].group_class is LrFactors
    assert PluginParameters(factors={"actor": 0.5}).factors == LrFactors(0.5, 1.0)
    assert PluginParameters().factors == LrFactors()


def test_a_class_registered_once_keeps_its_name() -> None:
    impostor: type[SubParameters] = dataclass(
        type("LrFactors", (SubParameters,), {"__module__": "elsewhere"})
    )
    with pytest.raises(PluginError, match="LrFactors"):
        register_parameter_class(impostor)
    assert parameter_classes["LrFactors"] is LrFactors


def test_groups_are_read_by_dotted_names() -> None:
    group = PluginParameters(factors=LrFactors(0.5))
    assert group.get("factors.actor") == 0.5
    with pytest.raises(UnknownNameError, match=r"'factors\.acter'\. Did you mean 'factors\.actor'"):
        group.get("factors.acter")
