"""What every test shares: checked shapes, one thread, derandomised properties, a clean folder."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.fork_server import close_fork_servers
from tests.shape_checks import check_shapes

# Compiling the package anew costs each interpreter that the tests start about a second, and the
# code that checks shapes many.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

settings.register_profile("nip", derandomize=True, deadline=None, max_examples=50)
settings.load_profile("nip")
check_shapes()


MARKERS = {
    "doc/": "whole_run",
    "end_to_end/": "whole_run",
    "test_benchmarks": "whole_run",
    "trainers/test_": "whole_run",
    "language_models/local_model/": "numerics",
    "rl_objectives/": "numerics",
    "scenario_base/": "numerics",
    "scenarios/graph_isomorphism/": "numerics",
    "trainers/tensor/learning/": "numerics",
}
"""Markers of folders and files, by the beginning of their paths; others are in the modules."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of these folders and files."""
    for item in items:
        path = item.path.relative_to(Path(__file__).parent).as_posix()
        for beginning, marker in MARKERS.items():
            if path.startswith(beginning):
                item.add_marker(marker)


def pytest_sessionfinish() -> None:
    """End the interpreters that forked for tests."""
    close_fork_servers()


@pytest.fixture(scope="session", autouse=True)
def one_torch_thread() -> None:
    """Keep torch on one thread: the workers of pytest-xdist share the cores."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def float64() -> Iterator[None]:
    """Compute in 64 bits, so that sums in another order differ far less than a mistake does.

    In 32 bits the difference depends on the processor, its instruction set and the batch size.
    """
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the root of the repository."""
    return Path(__file__).parents[1]


@pytest.fixture
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty folder the current one, so that a test sees whatever is written there."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of datasets which holds the pairs of graphs called ``tiny``."""
    from tests.experiments import write_tiny_graphs

    return write_tiny_graphs(tmp_path_factory.mktemp("data"))
