"""Jobs run on the GPU if there is one, and in several processes if they ask for it."""

import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("accelerate", reason="the extra lm-local is missing")

import torch

from nip.language_models.local_training.job_folder import JobFolder
from nip.language_models.local_training.launch import launch_command, run_or_launch
from nip.language_models.local_training.processes import choose_device, choose_dtype
from nip.language_models.local_training.training import run_job
from tests.language_models.local_model.tiny_model import make_model
from tests.language_models.local_training.jobs import make_job, write_examples


@pytest.mark.parametrize(
    ("wanted", "has_gpu", "device"),
    [
        ("auto", True, "cuda"),
        ("auto", False, "cpu"),
        ("cpu", True, "cpu"),
        ("cuda", False, "cuda"),
    ],
)
def test_the_gpu_is_used_if_there_is_one(
    wanted: str, has_gpu: bool, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    assert choose_device(wanted) == device


@pytest.mark.parametrize(
    ("wanted", "device", "has_half", "dtype"),
    [
        ("auto", "cuda", True, "bfloat16"),
        ("auto", "cuda", False, "float32"),
        ("auto", "cpu", True, "float32"),
        ("bfloat16", "cpu", False, "bfloat16"),
        ("float32", "cuda", True, "float32"),
    ],
)
def test_half_precision_is_used_on_gpus_that_have_it(
    wanted: str, device: str, has_half: bool, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: has_half)
    assert choose_dtype(wanted, device) == dtype


def test_a_job_on_several_gpus_is_launched_by_accelerate() -> None:
    command = launch_command(JobFolder(Path("job")), 4, "cuda")
    assert command[:3] == [sys.executable, "-m", "accelerate.commands.launch"]
    assert command[command.index("--num_processes") + 1] == "4"
    assert "--multi_gpu" in command and "--cpu" not in command
    assert command[-3:] == ["-m", "nip.language_models.local_training.launch", "job"]


def losses(job: JobFolder) -> list[float]:
    events: list[dict[str, Any]] = job.events()
    return [each["data"]["train_loss"] for each in events if each["type"] == "metrics"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_processes_train_as_one(tmp_path: Path) -> None:
    """Real processes, connected by gloo, of which each has a half of every batch."""
    base = make_model(tmp_path / "base")
    examples = write_examples(tmp_path / "examples.jsonl")
    one, two = (
        make_job(tmp_path / str(number), base, examples, num_processes=number) for number in (1, 2)
    )
    run_job(one)
    run_or_launch(two)
    assert two.status.status == "succeeded", (two.status, two.output_tail())
    assert losses(two) == pytest.approx(losses(one), rel=1e-3)
    assert losses(two)[0] == pytest.approx(losses(one)[0], rel=1e-6)
    assert two.status.trained_tokens == one.status.trained_tokens
