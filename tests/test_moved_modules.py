"""Modules that moved can still be imported under their old path."""

import importlib
from types import ModuleType

import pytest

from nip.moved_modules import MOVED, RENAMED


def is_defined_in(module: ModuleType, value: object) -> bool:
    return getattr(value, "__module__", None) == module.__name__


@pytest.mark.parametrize("old", MOVED)
def test_the_old_path_has_the_objects_of_the_new_one(old: str) -> None:
    former, present = importlib.import_module(old), importlib.import_module(MOVED[old])
    assert former.__name__ == old and former is not present
    own = [
        name
        for name, value in vars(present).items()
        if getattr(value, "__module__", "") == present.__name__
    ]
    for name in own or getattr(present, "__all__", []):
        assert getattr(former, name) is getattr(present, name)


@pytest.mark.parametrize("old", RENAMED)
def test_the_old_path_has_the_old_names_too(old: str) -> None:
    former, present = importlib.import_module(old), importlib.import_module(MOVED[old])
    for name, renamed in RENAMED[old].items():
        assert getattr(former, name) is getattr(present, renamed)


def test_a_module_that_never_existed_is_not_found() -> None:
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("nip.trainers.no_such_module")
