"""The Python of the guide to the run folder runs, and its tables are complete."""

import re

import pytest
import torch

from nip.experiment_settings import ExperimentSettings
from nip.run_store import Checkpoint, Run


@pytest.fixture
def guide(repository):
    return (repository / "doc" / "guides" / "run_folder.md").read_text(encoding="utf-8")


@pytest.fixture
def demo(working_folder):
    with Run.open(ExperimentSettings(), "demo", {"seed": 1}) as run:
        run.log(1, {"mean_accuracy": 0.5})
        run.log(2, {"mean_accuracy": 0.75, "test_mean_accuracy": 0.625})
        run.save_checkpoint(Checkpoint(2, {"verifier.body": {"weight": torch.ones(2)}}, {}))
        run.finish("completed")
    return run


def test_the_python_of_the_guide_runs(guide, demo, capsys):
    code = "\n".join(re.findall(r"```python\n(.*?)```", guide, flags=re.DOTALL))
    exec(compile(code, "run_folder.md", "exec"), {})
    assert capsys.readouterr().out.splitlines() == [
        "['mean_accuracy', 'test_mean_accuracy']",
        "1 0.5",
        "2 0.75",
        "0.625",
        "(2, 0.75)",
        "verifier.body.safetensors ['weight']",
    ]


def test_the_guide_names_every_file_of_a_run(guide, demo):
    named = set(re.findall(r"^\| `([\w.]+)/?` \|", guide, flags=re.MULTILINE))
    there = {path.name for path in demo.folder.iterdir() if not path.name.startswith(".")}
    assert named == there
