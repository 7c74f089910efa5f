"""Language models need no PyTorch: choosing, planning and running a text experiment leaves it."""

import sys
from unittest.mock import patch

import pytest

from tests.fork_server import fork_server

HEAVY = ("torch", "tensordict", "torchrl", "transformers")


def plan_and_run_twice() -> list[str]:
    """Plan a text experiment, run it, and start it again; return the heavy modules imported."""
    from nip.run import prepare_experiment
    from tests.text_experiments import make_text_params, run_text_experiment

    tests_once = {"text_rl": {"test_scheme": "last"}}
    prepare_experiment(make_text_params())
    with patch("nip.run_store.report.learning_curve.draw_learning_curve"):
        result = run_text_experiment("runs", "run", **tests_once)
        assert run_text_experiment("runs", "run", **tests_once) == result
    return heavy_modules()


def choose(trainer: str) -> list[str]:
    """Look a trainer up; return the heavy modules imported."""
    from nip.trainers.registry import trainer_registry

    assert trainer_registry[trainer]
    return heavy_modules()


def heavy_modules() -> list[str]:
    return [name for name in HEAVY if name in sys.modules]


def call(function, folder, *arguments):
    """Call a function of this module in a process that has imported none of it."""
    ending = fork_server(with_torch=False).call(
        f"tests.trainers.test_without_torch:{function}", *arguments, folder=folder
    )
    assert ending.exit_code == 0, ending.stderr
    return ending.result


def test_a_whole_rehearsal_imports_none_of_it(tmp_path):
    assert call("plan_and_run_twice", tmp_path) == []


@pytest.mark.parametrize(("trainer", "needs_torch"), [("pure_text_ei", False), ("reinforce", True)])
def test_choosing_a_trainer_imports_what_it_needs(trainer, needs_torch, tmp_path):
    assert ("torch" in call("choose", tmp_path, trainer)) == needs_torch
