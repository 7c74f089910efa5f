"""Language models need no PyTorch: choosing, planning and running a text experiment leaves it."""

import json
import subprocess
import sys

import pytest

from tests.source_files import REPOSITORY

HEAVY = ("torch", "tensordict", "torchrl", "transformers")

_RUN = """
import json, sys
from unittest.mock import patch
from nip.run import prepare_experiment
from tests.text_experiments import make_text_params, run_text_experiment

tests_once = {"text_rl": {"test_scheme": "last"}}
prepare_experiment(make_text_params())
with patch("nip.run_store.report.learning_curve.draw_learning_curve"):
    result = run_text_experiment("runs", "run", **tests_once)
    assert run_text_experiment("runs", "run", **tests_once) == result
modules = [name for name in sys.argv[1].split(",") if name in sys.modules]
print(json.dumps([modules, result.metrics["test_failed_share"]]))
"""

_CHOOSE = """
import json, sys
from nip.trainers.registry import trainer_registry
trainer_registry[sys.argv[2]]
print(json.dumps([[name for name in sys.argv[1].split(",") if name in sys.modules], 0]))
"""


def heavy_modules(code, folder, *arguments):
    process = subprocess.run(
        [sys.executable, "-c", code, ",".join(HEAVY), *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    modules, _ = json.loads(process.stdout.splitlines()[-1])
    return modules


def test_a_whole_rehearsal_imports_none_of_it(tmp_path):
    assert heavy_modules(_RUN, tmp_path) == []


@pytest.mark.parametrize(("trainer", "needs_torch"), [("pure_text_ei", False), ("reinforce", True)])
def test_choosing_a_trainer_imports_what_it_needs(trainer, needs_torch, tmp_path):
    assert ("torch" in heavy_modules(_CHOOSE, tmp_path, trainer)) == needs_torch
