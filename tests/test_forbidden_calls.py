"""Nothing is pickled, and nothing that differs between two processes reaches a result."""

import ast
from pathlib import Path

import pytest

from tests.source_files import REPOSITORY, dotted_name, imports_of, python_files, tree_of

SOURCES = python_files("nip", "scripts", "benchmarks")
PICKLING_MODULES = {
    "pickle",
    "cPickle",
    "_pickle",
    "cloudpickle",
    "dill",
    "joblib",
    "shelve",
    "marshal",
}
FORBIDDEN_CALLS = {
    "Console": "obeys control characters and fails on a closed pipe; use nip.utils.console",
    "eval": "runs what a file says",
    "hash": "differs between processes",
    "numpy.random.seed": "sets global random state",
    "np.random.seed": "sets global random state",
    "os.environ.setdefault": "changes the process of the caller",
    "random.seed": "sets global random state",
    "torch.save": "pickles",
    "yaml.load": "builds any object; use yaml.safe_load",
    "yaml.unsafe_load": "builds any object; use yaml.safe_load",
}
OWN_GENERATORS = {"BitGenerator", "Generator", "PCG64", "Philox", "SeedSequence", "default_rng"}


def relative(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_no_module_that_pickles_is_imported(path: Path) -> None:
    assert not {found.module.split(".")[0] for found in imports_of(path)} & PICKLING_MODULES


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_forbidden_calls_do_not_occur(path: Path) -> None:
    found = [
        f"{relative(path)}:{call.lineno} {reason}"
        for call in ast.walk(tree_of(path))
        if isinstance(call, ast.Call) and (reason := _objection(call))
    ]
    assert not found


def _objection(call: ast.Call) -> str | None:
    name = dotted_name(call.func)
    if name in FORBIDDEN_CALLS:
        return f"{name}: {FORBIDDEN_CALLS[name]}"
    if name == "torch.load" and not _has_true_keyword(call, "weights_only"):
        return "torch.load: needs weights_only=True"
    module, _, function = name.rpartition(".")
    if module in ("np.random", "numpy.random") and function not in OWN_GENERATORS:
        return f"{name}: draws from global random state"
    if module == "random" and function != "Random":
        return f"{name}: draws from global random state"
    return None


def _has_true_keyword(call: ast.Call, name: str) -> bool:
    return any(
        keyword.arg == name
        and isinstance(keyword.value, ast.Constant)
        and keyword.value.value is True
        for keyword in call.keywords
    )
