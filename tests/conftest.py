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
settings.register_profile("check", settings.get_profile("nip"), max_examples=10)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "nip"))
check_shapes()

FOLDER = f"{Path(__file__).parent}/"
WHOLE_RUNS = (
    "command_line/test_base_run_choices",
    "command_line/test_hydra_jobs",
    "doc/",
    "end_to_end/",
    "experiment/test_base_run",
    "experiment/test_loaded_agents",
    "experiment/test_pretrained",
    "experiment/test_rank_agreement",
    "language_models/fine_tuning/test_crashes",
    "language_models/fine_tuning/test_documented_formats",
    "language_models/fine_tuning/test_local_backend",
    "language_models/local_model/",
    "language_models/local_training/",
    "language_models/providers/test_local",
    "language_models/server/test_command_line",
    "language_models/server/test_faults",
    "robustness/callbacks/",
    "robustness/test_attack",
    "rollout_analysis/",
    "run_store/test_kill",
    "run_store/test_run_folder_guide",
    "scenario_base/text/test_outside_scenario",
    "scenarios/code_validation/generation/",
    "scenarios/code_validation/problems/",
    "scenarios/graph_isomorphism/test_manual",
    "scenarios/image_classification/test_stored_episodes",
    "scenarios/matrix_games/test_fixed_points",
    "scenarios/matrix_games/test_scenario",
    "scenarios/quotes/test_scenario",
    "scenarios/quotes/test_tiny_models",
    "scripts/",
    "sweeps/test_budget",
    "sweeps/test_cells",
    "sweeps/test_kills",
    "sweeps/test_launchers",
    "test_benchmarks",
    "test_command_line",
    "test_one_pass",
    "test_parallel_seeds",
    "test_run.py",
    "test_wheel",
    "trainers/builtin/test_pure_text_grpo",
    "trainers/builtin/test_pure_text_malt",
    "trainers/callbacks/test_observers",
    "trainers/callbacks/test_rollout_samples",
    "trainers/core/test_context",
    "trainers/core/test_failing_loggers",
    "trainers/tensor/learning/test_agent_freezing",
    "trainers/tensor/opponents/test_training_with_opponents",
    "trainers/tensor/parallel_seeds/",
    "trainers/tensor/message_regression/test_regression",
    "trainers/tensor/test_compiled_training",
    "trainers/tensor/test_device_placement",
    "trainers/tensor/test_fixed_shapes",
    "trainers/tensor/test_pretraining",
    "trainers/tensor/test_solo_training",
    "trainers/tensor/weights/test_old_checkpoints",
    "trainers/tensor/weights/test_saved_models",
    "trainers/tensor/weights/test_unsaved_state",
    "trainers/test_callbacks",
    "trainers/test_every_trainer",
    "trainers/test_isolation",
    "trainers/test_late_callbacks",
    "trainers/test_new_builtin_trainer",
    "trainers/test_new_kind_of_data",
    "trainers/test_outside",
    "trainers/test_own_loops",
    "trainers/test_owned_parameters",
    "trainers/test_training_again",
    "trainers/test_update_schedules",
    "trainers/test_what_trainers_leave",
    "trainers/test_without_torch",
    "trainers/text/test_fine_tuning_manager",
    "trainers/text/test_first_verifier",
    "trainers/text/test_old_form",
    "trainers/text/test_rerun_tests",
    "trainers/text/test_run_cost",
    "utils/test_deferred_compiler",
    "utils/test_event_loop",
    "utils/test_ranks",
    "viewer/",
)
NUMERICS = (
    "language_models/local_model/",
    "rl_objectives/",
    "scenario_base/test_",
    "scenarios/graph_isomorphism/",
    "scenarios/image_classification/test_",
    "trainers/tensor/learning/",
)
MARKERS = {"slow": (), "whole_run": WHOLE_RUNS, "numerics": NUMERICS}
"""Markers of folders and files, by the beginning of their paths."""


def _begins_with(path: Path, beginnings: tuple[str, ...]) -> bool:
    return str(path).removeprefix(FOLDER).startswith(beginnings)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import files without any of the tests that are chosen by a marker."""
    if collection_path.suffix != ".py":
        return None
    words = config.option.markexpr.split(" and ")
    if "not whole_run" in words and _begins_with(collection_path, WHOLE_RUNS):
        return True
    needed = [marker for marker in MARKERS if marker in words]
    return None if all(_may_have(collection_path, marker) for marker in needed) else True


def _may_have(path: Path, marker: str) -> bool:
    """Tell whether a file may have tests with a marker."""
    return _begins_with(path, MARKERS[marker]) or f"mark.{marker}" in path.read_text("utf-8")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of these folders and files."""
    for item in items:
        for marker, beginnings in MARKERS.items():
            if _begins_with(item.path, beginnings):
                item.add_marker(marker)


def pytest_sessionfinish() -> None:
    """End the interpreters that forked for tests."""
    close_fork_servers()


@pytest.fixture(scope="session", autouse=True)
def one_torch_thread() -> None:
    """Keep torch on one thread: the workers of pytest-xdist share the cores."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def no_drawing() -> Iterator[None]:
    """Write files without a picture in place of learning curves."""
    from tests.pictures import empty_pictures

    with empty_pictures():
        yield


@pytest.fixture(scope="session", autouse=True)
def one_description_of_the_code() -> Iterator[None]:
    """Ask git about the code once."""
    from tests.described_code import code_described_once

    with code_described_once():
        yield


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
