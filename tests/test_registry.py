"""A registry finds what was entered, imports what is built in, and helps with misspelt names."""

import dataclasses
import importlib
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import pytest

from nip.errors import PluginError, UnknownNameError
from nip.registry import Registry


class Dog:
    pass


class Cat:
    pass


def make_class(name: str, module: str = "zoo") -> type:
    """Make a class as if a module had defined it."""
    return type(name, (), {"__module__": module, "__qualname__": name})


@pytest.fixture
def animals() -> Registry[type]:
    registry: Registry[type] = Registry("animal")
    registry.register("dog", Dog)
    registry.register("cat", Cat)
    return registry


def test_what_was_entered_is_found(animals: Registry[type]) -> None:
    assert animals.get("dog") is animals["dog"] is Dog
    assert "cat" in animals
    assert "cow" not in animals


def test_a_class_that_lacks_methods_is_refused_when_it_is_chosen(animals: Registry[type]) -> None:
    class Animal(ABC):
        @abstractmethod
        def eat(self) -> None: ...

        @abstractmethod
        def sleep(self) -> None: ...

    class Cow(Animal):
        def eat(self) -> None: ...

    animals.register("cow", Cow)
    with pytest.raises(
        PluginError, match=r"animal 'cow' is incomplete: .*Cow does not define sleep"
    ):
        animals.get("cow")
    with pytest.raises(PluginError, match="incomplete"):
        _ = animals["cow"]
    assert "cow" in animals


def test_names_and_items_come_in_alphabetical_order(animals: Registry[type]) -> None:
    assert animals.names() == list(animals) == ["cat", "dog"]
    assert animals.items() == [("cat", Cat), ("dog", Dog)]
    assert len(animals) == 2


def test_a_decorator_enters_a_class_and_gives_it_back(animals: Registry[type]) -> None:
    @animals.register("cow")
    class Cow:
        pass

    assert animals["cow"] is Cow


def test_a_miss_lists_the_known_names_and_the_closest(animals: Registry[type]) -> None:
    with pytest.raises(UnknownNameError) as caught:
        animals.get("dgo")
    assert str(caught.value) == "There is no animal 'dgo'. Did you mean 'dog'? Known: cat, dog."


def test_a_name_is_not_taken_twice(animals: Registry[type]) -> None:
    with pytest.raises(PluginError, match=r"animal 'dog' is already registered.*another name"):
        animals.register("dog", Cat)
    assert animals["dog"] is Dog


def test_a_class_may_be_defined_anew_by_the_same_source(animals: Registry[type]) -> None:
    animals.register("cow", make_class("Cow"))
    again = make_class("Cow")
    animals.register("cow", again)
    assert animals["cow"] is again
    with pytest.raises(PluginError):
        animals.register("cow", make_class("Cow", module="farm"))


def test_facts_that_name_a_class_may_be_entered_anew() -> None:
    @dataclasses.dataclass(frozen=True)
    class Facts:
        legs: int
        kind: type

    facts: Registry[Facts] = Registry("facts")
    facts.register("cow", Facts(4, make_class("Cow")))
    facts.register("cow", Facts(4, make_class("Cow")))
    with pytest.raises(PluginError):
        facts.register("cow", Facts(3, make_class("Cow")))


def test_a_name_can_be_forgotten(animals: Registry[type]) -> None:
    animals.unregister("dog")
    animals.unregister("never there")
    assert animals.names() == ["cat"]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Write a package whose modules, one of them in a sub-package, enter something."""
    name = "registry_example"
    deep = tmp_path / name / "deep"
    deep.mkdir(parents=True)
    (tmp_path / name / "__init__.py").write_text("")
    (tmp_path / name / "holder.py").write_text(
        f"from nip.registry import Registry\nanimals = Registry('animal', package='{name}')\n"
    )
    entry = f"from {name}.holder import animals\nanimals.register('%s', object)\n"
    (tmp_path / name / "near.py").write_text(entry % "near")
    (deep / "__init__.py").write_text("")
    (deep / "far.py").write_text(entry % "far")
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    for module in [module for module in sys.modules if module.split(".")[0] == name]:
        del sys.modules[module]


def test_modules_of_the_package_are_imported_on_first_need(package: str) -> None:
    holder = __import__(f"{package}.holder", fromlist=["animals"])
    assert f"{package}.near" not in sys.modules
    assert "far" in holder.animals
    assert holder.animals.names() == ["far", "near"]


def test_a_module_that_cannot_be_imported_is_tried_again(package: str, tmp_path: Path) -> None:
    broken = tmp_path / package / "near.py"
    text = broken.read_text()
    broken.write_text("import a_module_that_does_not_exist_at_all\n")
    holder = __import__(f"{package}.holder", fromlist=["animals"])
    with pytest.raises(ModuleNotFoundError):
        holder.animals.names()
    broken.write_text(text + "\n\n")
    assert "near" in holder.animals


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry[int]]:
    """Return a registry over a package of three modules that note when they are imported."""
    package = tmp_path / "shelf_of_books"
    (package / "novel").mkdir(parents=True)
    (package / "__init__.py").write_text("registry = None\n")
    line = "from shelf_of_books import registry\nregistry.register({name!r}, {value})\n"
    (package / "novel" / "__init__.py").write_text("")
    (package / "novel" / "chapters.py").write_text(line.format(name="novel", value=1))
    (package / "atlas.py").write_text(line.format(name="atlas", value=2))
    (package / "other.py").write_text(line.format(name="poem", value=3))
    monkeypatch.syspath_prepend(tmp_path)
    import shelf_of_books

    shelf_of_books.registry = registry = Registry("book", package="shelf_of_books")
    yield registry
    for name in [name for name in sys.modules if name.startswith("shelf_of_books")]:
        del sys.modules[name]


def imported_books() -> set[str]:
    names = ("atlas", "other", "novel.chapters")
    return {name for name in names if f"shelf_of_books.{name}" in sys.modules}


def test_a_name_is_looked_for_first_in_its_namesake(shelf: Registry[int]) -> None:
    assert shelf["atlas"] == 2
    assert imported_books() == {"atlas"}
    # A sub-package is imported with all that is in it.
    assert shelf["novel"] == 1
    assert imported_books() == {"atlas", "novel.chapters"}


def test_a_name_without_a_namesake_is_found_in_any_module(shelf: Registry[int]) -> None:
    assert shelf["poem"] == 3
    assert imported_books() == {"atlas", "novel.chapters", "other"}
    assert shelf.names() == ["atlas", "novel", "poem"]


@pytest.mark.parametrize("name", ["atals", "other", "a.b", "no such/../thing", "", "import"])
def test_a_name_that_nobody_entered_is_still_unknown(shelf: Registry[int], name: str) -> None:
    assert name not in shelf
    with pytest.raises(UnknownNameError, match="atlas, novel, poem"):
        shelf[name]


@pytest.fixture
def orchard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry[int]]:
    """Return a registry that reads light modules where there are any."""
    package = tmp_path / "orchard_of_trees"
    (package / "apple").mkdir(parents=True)
    line = "from orchard_of_trees import registry\nregistry.register({name!r}, {value})\n"
    heavy = "raise AssertionError('a heavy module was imported')\n"
    for path, text in {
        "__init__.py": "registry = None\n",
        "pear.py": heavy,
        "pear_leaf.py": line.format(name="pear", value=1),
        "apple/__init__.py": "",
        "apple/leaf.py": line.format(name="apple", value=2),
        "apple/tree.py": heavy,
        "plum.py": line.format(name="plum", value=3),
    }.items():
        (package / path).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    import orchard_of_trees

    orchard_of_trees.registry = registry = Registry("tree", "orchard_of_trees", light="leaf")
    yield registry
    for name in [name for name in sys.modules if name.startswith("orchard_of_trees")]:
        del sys.modules[name]


def test_a_light_module_is_imported_instead_of_its_companion(orchard: Registry[int]) -> None:
    assert orchard["pear"] == 1
    assert "orchard_of_trees.apple" not in sys.modules
    assert orchard["apple"] == 2
    # A module without a light companion is imported itself.
    assert orchard.items() == [("apple", 2), ("pear", 1), ("plum", 3)]


def test_several_packages_are_searched(orchard: Registry[int], shelf: Registry[int]) -> None:
    both: Registry[int] = Registry("thing", ("orchard_of_trees", "shelf_of_books"), light="leaf")
    sys.modules["orchard_of_trees"].registry = both  # type: ignore[attr-defined]
    sys.modules["shelf_of_books"].registry = both  # type: ignore[attr-defined]
    assert both["atlas"] == 2
    assert "orchard_of_trees.plum" not in sys.modules
    assert both.names() == ["apple", "atlas", "novel", "pear", "plum", "poem"]


def test_a_class_from_outside_cannot_take_the_name_of_a_built_in(package: str) -> None:
    holder = __import__(f"{package}.holder", fromlist=["animals"])
    with pytest.raises(PluginError, match="'near' is already registered"):
        holder.animals.register("near", Dog)


DECORATORS = {
    "register_callback": ("nip.trainers.core.callback_registry", "Callback"),
    "register_trainer": ("nip.trainers.registry", "Trainer"),
    "register_scenario": ("nip.scenario_base.registry", "Scenario"),
    "register_protocol": ("nip.protocols.registry", "ProtocolHandler"),
    "register_analyser": ("nip.rollout_analysis.registry", "Analyser"),
    "register_loss_term": ("nip.trainers.tensor.learning.loss_terms", "callable"),
}
"""For each decorator, its module, and the class from which a registered one is derived."""


@pytest.mark.parametrize("decorator", DECORATORS)
@pytest.mark.parametrize("value", [Dog, 3])
def test_what_is_not_derived_from_the_base_class_is_refused_when_it_is_registered(
    decorator: str, value: object
) -> None:
    module, base = DECORATORS[decorator]
    register = getattr(importlib.import_module(module), decorator)
    message = rf"'registry_test' must be .*\b{base}\b.*, got {re.escape(repr(value))}"
    with pytest.raises(PluginError, match=message):
        register("registry_test")(value)


@pytest.mark.parametrize("decorator", DECORATORS)
def test_a_decorator_without_a_name_is_refused(decorator: str) -> None:
    register = getattr(importlib.import_module(DECORATORS[decorator][0]), decorator)
    with pytest.raises(PluginError, match=rf'^{decorator} must be given a name.*@{decorator}\("'):
        register(Dog)


@pytest.mark.parametrize("decorator", ["register_callback", "register_loss_term"])
def test_parameters_that_are_no_options_are_refused(decorator: str) -> None:
    register = getattr(importlib.import_module(DECORATORS[decorator][0]), decorator)
    with pytest.raises(PluginError, match=r"^The parameters of the .*Parameters, got .*'dict'"):
        register("registry_test", parameters=dict)


def test_only_the_main_module_of_a_sub_package_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "house_of_rooms" / "kitchen"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("registry = None\n")
    (folder / "__init__.py").write_text("")
    (folder / "room.py").write_text(
        "from house_of_rooms import registry\nregistry.register('kitchen', 1)\n"
    )
    (folder / "oven.py").write_text("raise AssertionError('not the main module')\n")
    monkeypatch.syspath_prepend(tmp_path)
    import house_of_rooms

    house_of_rooms.registry = rooms = Registry[int]("room", "house_of_rooms")
    assert rooms.names() == ["kitchen"]
    for name in [name for name in sys.modules if name.startswith("house_of_rooms")]:
        del sys.modules[name]
