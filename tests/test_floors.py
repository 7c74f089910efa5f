"""A file imports only from floors below its own, and what must be light never imports torch."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.source_files import REPOSITORY, imports_of, module_name, python_files, tree_of

# From the roof to the ground. A file stands on the floor with the longest name that its own begins
# with, and may import from that floor and from all below. Imports for types are exempt, and so is
# what an __init__.py re-exports of its own folder.
FLOORS = [
    "scripts",
    "nip.__main__",
    "nip.commands",
    "nip",
    "nip.sweeps",
    "nip.command_line",
    "nip.plugins",
    "nip.viewer",
    "nip.robustness",
    "nip.parallel_seeds",
    "nip.run",
    "nip.comparison",
    "nip.rollout_analysis",
    "nip.pretrained",
    "nip.experiment.plan",
    "nip.experiment.checked",
    "nip.experiment.loaded_agents",
    "nip.experiment.base_run",
    "nip.experiment.pretrained",
    "nip.factory",
    "nip.experiment.tensor_parts",
    "nip.trainers.builtin",
    "nip.trainers.game_trainer_base",
    "nip.trainers.rl_tensordict_base",
    "nip.trainers.rl_pure_text_base",
    "nip.trainers.trainer_base",
    "nip.trainers.tensor",
    "nip.trainers.text",
    "nip.trainers.callbacks",
    "nip.trainers.registry",
    "nip.trainers.core",
    "nip.trainers",
    "nip.experiment.checks",
    "nip.experiment.text_checks",
    "nip.experiment.text_parts",
    "nip.experiment",
    "nip.scenarios",
    "nip.scenario_instance",
    "nip.rl_objectives",
    "nip.scenario_base",
    "nip.native",
    "nip.language_models",
    "nip.protocols",
    "nip.run_store",
    "nip.experiment_settings",
    "nip.parameters.tree",
    "nip.parameters.checks",
    "nip.parameters",
    "nip.registry",
    "nip.moved_modules",
    "nip.seeding",
    "nip.command_table",
    "nip.utils",
    "nip.errors",
]
SOURCES = python_files("nip", "scripts")
MODULES = {module_name(path) for path in SOURCES}

# What the command line imports before it has checked the parameters.
LIGHT_PACKAGES = ["nip.parameters", "nip.protocols", "nip.command_line", "nip.commands"]
LIGHT_MODULES = [
    "nip",
    "nip.command_table",
    "nip.comparison",
    "nip.errors",
    "nip.experiment.checks",
    "nip.experiment_settings",
    "nip.parallel_seeds",
    "nip.plugins",
    "nip.registry",
    "nip.run",
    "nip.run_store",
    "nip.scenario_base",
    "nip.scenario_base.dataset_files",
    "nip.scenarios",
    "nip.seeding",
    "nip.trainers",
    "nip.trainers.base_specs",
    "nip.trainers.registry",
]
# Light modules that state the spec of a trainer or scenario beside the one that imports torch.
SPEC_PACKAGES = ["nip.trainers.builtin", "nip.scenarios"]
MAY_IMPORT_TORCH = {"nip.protocols.tensor_protocol"}
HEAVY = {
    "torch",
    "tensordict",
    "torchrl",
    "matplotlib",
    "pandas",
    "safetensors.torch",
    "scipy",
}


def floor_of(module: str) -> int | None:
    """Return the index of the floor that a module stands on; None when it is not ours."""
    parts = module.split(".")
    if parts[0] == "scripts":
        return FLOORS.index("scripts")
    if parts[0] != "nip":
        return None
    prefixes = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    name = next(prefix for prefix in prefixes if prefix in FLOORS)
    assert name != "nip" or len(parts) == 1 or module not in MODULES, (
        f"{module} stands on no floor: give it one in tests/test_floors.py"
    )
    return FLOORS.index(name)


def relative(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def light_modules() -> list[str]:
    """Return all modules that must not import torch."""
    in_packages = [
        module
        for module in map(module_name, SOURCES)
        if any(module == package or module.startswith(package + ".") for package in LIGHT_PACKAGES)
    ]
    specs = [
        module
        for module in map(module_name, SOURCES)
        if module.startswith(tuple(SPEC_PACKAGES)) and module.endswith(("_spec", ".spec"))
    ]
    return sorted({*in_packages, *specs, *LIGHT_MODULES} - MAY_IMPORT_TORCH)


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_file_imports_only_from_floors_below(path: Path) -> None:
    own = floor_of(module_name(path))
    assert own is not None
    upwards = [
        f"{relative(path)}:{found.line} imports {found.module}"
        for found in imports_of(path)
        if not found.is_for_types
        and not (path.name == "__init__.py" and found.module.startswith(module_name(path)))
        and (floor := floor_of(found.module)) is not None
        and floor < own
    ]
    assert not upwards


def test_no_two_folders_import_each_other() -> None:
    folders: dict[str, set[str]] = {}
    for path in SOURCES:
        own = path.parent.relative_to(REPOSITORY)
        for found in imports_of(path):
            target = _folder_of(found.module)
            is_re_export = path.name == "__init__.py"
            if target not in (None, own) and not found.is_for_types and not is_re_export:
                folders.setdefault(str(own), set()).add(str(target))
    # The root holds files of many floors, which have their own test above.
    folders.pop("nip", None)
    # Raises CycleError, which names the cycle.
    tuple(graphlib.TopologicalSorter(folders).static_order())


def test_no_modules_import_each_other_in_a_circle() -> None:
    modules = {
        module_name(path): {
            found.module
            for found in imports_of(path)
            if found.module in MODULES and not found.is_for_types
        }
        for path in SOURCES
        if path.name != "__init__.py"
    }
    # Raises CycleError, which names the cycle.
    tuple(graphlib.TopologicalSorter(modules).static_order())


@pytest.mark.parametrize(("half", "other"), [("tensor", "text"), ("text", "tensor")])
def test_training_of_networks_and_of_language_models_share_only_the_core(half, other) -> None:
    for path in python_files(f"nip/trainers/{half}"):
        for found in imports_of(path):
            assert not found.module.startswith(f"nip.trainers.{other}"), f"{relative(path)}"


def test_scenarios_do_not_know_each_other() -> None:
    for path in python_files("nip/scenarios"):
        own = module_name(path).split(".")[2:3]
        for found in imports_of(path):
            parts = found.module.split(".")
            if parts[:2] == ["nip", "scenarios"] and _folder_of(found.module) is not None:
                other = parts[2:3]
                is_folder = other and (REPOSITORY / "nip/scenarios" / other[0]).is_dir()
                assert not is_folder or other == own, f"{relative(path)}:{found.line}"


@pytest.mark.parametrize(
    "path", [path for path in SOURCES if path.name == "__init__.py"], ids=relative
)
def test_an_init_file_only_re_exports(path: Path) -> None:
    for node in tree_of(path).body:
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_import = isinstance(node, ast.Import | ast.ImportFrom)
        is_for_types = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        # PEP 562 calls __getattr__ for names that are imported lazily.
        is_export = (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id in ("__all__", "__getattr__")
        )
        assert is_docstring or is_import or is_for_types or is_export, (
            f"{relative(path)}:{node.lineno}"
        )


@pytest.mark.parametrize("path", python_files("nip/parameters"), ids=relative)
def test_parameters_never_import_torch_not_even_lazily(path: Path) -> None:
    assert not {found.module.split(".")[0] for found in imports_of(path)} & HEAVY


def test_light_modules_bring_no_heavy_library_along() -> None:
    script = f"""
import importlib, sys
for name in {light_modules()!r}:
    importlib.import_module(name)
    heavy = sorted({HEAVY!r} & set(sys.modules))
    if heavy:
        sys.exit(f"importing {{name}} brought {{heavy}} along")
"""
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=REPOSITORY, check=False
    )
    assert run.returncode == 0, run.stderr


def _folder_of(module: str) -> Path | None:
    """Return the folder, relative to the repository, that a module of ours lies in."""
    path = Path(*module.split("."))
    if (REPOSITORY / path / "__init__.py").is_file():
        return path
    return path.parent if (REPOSITORY / path).with_suffix(".py").is_file() else None
