"""Shapes are checked when a function is called first and whenever another shape occurs."""

import importlib
import sys
from pathlib import Path

import jaxtyping
import pytest
import torch
from jaxtyping import TypeCheckError, install_import_hook

from tests.shape_checks import checked, jaxtyped

MODULE = """
from dataclasses import dataclass
from jaxtyping import Float
from torch import Tensor

def total(rows: Float[Tensor, "row d"]) -> Float[Tensor, " d"]:
    return rows.sum(0)

def add(first: Float[Tensor, " d"], second: Float[Tensor, " d"] | None = None) -> Tensor:
    return first if second is None else first + second

def transposed(rows: Float[Tensor, "row d"], keep: list[bool]) -> "Float[Tensor, 'd row']":
    return rows if keep[0] else rows.T

def stacked(rows: list[Float[Tensor, " d"]], named: dict[str, Float[Tensor, " d"]]) -> int:
    return len(rows)

def scaled(rows: Float[Tensor, "row d"]) -> Float[Tensor, "row d"]:
    def half(row: Float[Tensor, " d"]) -> Float[Tensor, " d"]:
        return row[: len(row) // 2] if len(row) % 2 == 0 else row
    return half(rows[0]).expand(rows.shape)

@dataclass
class Pair:
    first: Float[Tensor, " d"]
    second: Float[Tensor, " d"]

class Owner:
    @property
    def rows(self) -> Float[Tensor, "row d"]:
        return self.value

    @classmethod
    def of(cls, value: Float[Tensor, "row d"]) -> "Owner":
        owner = cls()
        owner.value = value
        return owner
"""


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("shapes")
    (folder / "module_with_shapes.py").write_text(MODULE)
    sys.path.insert(0, str(folder))
    with install_import_hook("module_with_shapes", f"{checked.__module__}.checked"):
        yield importlib.import_module("module_with_shapes")
    sys.path.remove(str(folder))
    del sys.modules["module_with_shapes"]


@pytest.fixture
def refused():
    return pytest.raises(TypeCheckError)


def test_it_is_used_in_all_tests():
    assert jaxtyping.jaxtyped is jaxtyped


def test_a_wrong_rank_or_dtype_is_found_after_right_ones(module, refused):
    for size in (2, 3, 2):
        assert module.total(torch.ones(size, 4)).shape == (4,)
    with refused:
        module.total(torch.ones(4))
    with pytest.raises(TypeCheckError):
        module.total(torch.ones(2, 4, dtype=torch.int64))
    assert module.total(torch.ones(2, 4)).shape == (4,)


def test_sizes_that_differ_from_each_other_are_found(module, refused):
    module.add(torch.ones(2), torch.ones(2))
    module.add(torch.ones(1))
    module.add(torch.ones(1), second=torch.ones(1))
    with refused:
        module.add(torch.ones(2), torch.ones(1))
    with pytest.raises(TypeCheckError):
        module.add(torch.ones(1), second=torch.ones(2))


def test_a_wrong_result_is_found_although_the_same_arguments_gave_a_right_one(module, refused):
    assert module.transposed(torch.ones(2, 3), [False]).shape == (3, 2)
    assert module.transposed(torch.ones(2, 2), [True]).shape == (2, 2)
    with refused:
        module.transposed(torch.ones(2, 3), [True])


def test_tensors_in_lists_and_dictionaries_are_looked_at(module):
    one, two = torch.ones(1), torch.ones(2)
    assert module.stacked([one, one], {"a": one}) == 2
    for rows, named in (([two], {"a": one}), ([one], {"a": two}), ([one], {"a": one.bool()})):
        with pytest.raises(TypeCheckError):
            module.stacked(rows, named)


def test_functions_within_functions_are_checked(module, refused):
    assert module.scaled(torch.ones(2, 3)).shape == (2, 3)
    with refused:
        module.scaled(torch.ones(2, 4))


def test_dataclasses_properties_and_class_methods_are_checked(module, refused):
    module.Pair(torch.ones(2), torch.ones(2))
    with refused:
        module.Pair(torch.ones(2), second=torch.ones(3))
    owner = module.Owner.of(torch.ones(2, 2))
    assert owner.rows.shape == (2, 2)
    owner.value = torch.ones(2)
    with pytest.raises(TypeCheckError):
        owner.rows  # noqa: B018
    with pytest.raises(TypeCheckError):
        module.Owner.of(torch.ones(2))


def test_wrong_calls_are_those_of_the_function(module):
    with pytest.raises(TypeError, match="missing"):
        module.total()
    with pytest.raises(TypeError, match="unexpected keyword"):
        module.total(torch.ones(2, 4), no_parameter=1)
