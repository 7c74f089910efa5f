"""Fields that hold a group: what their annotation is at run time, and what may be set."""

from dataclasses import dataclass
from typing import get_type_hints

import pytest

from nip.errors import ParameterError
from nip.parameters import SubParameters
from nip.parameters.fields.group_annotation import GROUP_DEFAULT, Group
from nip.parameters.parameters_base import parameter_classes, register_parameter_class


@register_parameter_class
@dataclass
class GroupTestInner(SubParameters):
    size: int = 3
    """Size."""


@register_parameter_class
@dataclass
class GroupTestOuter(SubParameters):
    inner: Group[GroupTestInner] = GROUP_DEFAULT
    """A group."""


# What is registered here is taken out at once, so that no other test sees it.
for _name in ("GroupTestInner", "GroupTestOuter"):
    parameter_classes.unregister(_name)


def test_at_run_time_the_annotation_is_the_class_of_the_group():
    assert Group[GroupTestInner] is GroupTestInner
    assert get_type_hints(GroupTestOuter)["inner"] is GroupTestInner


def test_by_default_each_tree_gets_a_group_of_its_own():
    first, second = GroupTestOuter(), GroupTestOuter()
    assert first.inner == second.inner == GroupTestInner(3)
    assert first.inner is not second.inner


@pytest.mark.parametrize("given", [GroupTestInner(5), {"size": 5}])
def test_an_instance_and_a_mapping_of_its_fields_are_read_as_the_group(given):
    assert GroupTestOuter(inner=given).inner == GroupTestInner(5)


def test_a_group_of_another_class_is_refused():
    with pytest.raises(ParameterError, match=r"inner must be GroupTestInner"):
        GroupTestOuter(inner=GroupTestOuter())
