"""The losses are those of TRL."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl", reason="the extra dev is missing")

from nip.language_models.local_model.folder import read_model, read_tokenizer
from nip.language_models.local_training.training import run_job
from tests.language_models.local_model.tiny_model import make_model
from tests.language_models.local_training.jobs import make_job, write_examples, write_pairs

pytestmark = pytest.mark.slow
NUM_EXAMPLES = 6


def rows(path: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    if "messages" in lines[0]:
        return [
            {"prompt": line["messages"][:-1], "completion": line["messages"][-1:]} for line in lines
        ]
    return [
        {
            "prompt": line["input"]["messages"],
            "chosen": line["preferred_output"],
            "rejected": line["non_preferred_output"],
        }
        for line in lines
    ]


def losses_of_trl(base: Path, data: Path, method: str, folder: Path) -> list[float]:
    """Train on all examples at once, so that their order does not matter."""
    import datasets
    import trl

    datasets.disable_progress_bars()
    common: dict[str, Any] = {
        "output_dir": str(folder),
        "per_device_train_batch_size": NUM_EXAMPLES,
        "num_train_epochs": 4,
        "learning_rate": 0.002,
        "lr_scheduler_type": "constant",
        "weight_decay": 0.0,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "bf16": False,
        "use_cpu": True,
        "gradient_checkpointing": False,
        "disable_tqdm": True,
    }
    tokenizer = read_tokenizer(base)
    tokenizer.pad_token = tokenizer.eos_token
    given = {
        "model": read_model(base, "float32"),
        "train_dataset": datasets.Dataset.from_list(rows(data)),
        "processing_class": tokenizer,
    }
    if method == "dpo":
        trainer = trl.DPOTrainer(args=trl.DPOConfig(beta=0.1, **common), **given)
    else:
        trainer = trl.SFTTrainer(args=trl.SFTConfig(**common), **given)
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


@pytest.mark.parametrize("method", ["supervised", "dpo"])
def test_updates_have_the_losses_of_trl(method: str, tmp_path: Path) -> None:
    base = make_model(tmp_path / "base")
    write = write_examples if method == "supervised" else write_pairs
    data = write(tmp_path / "data.jsonl", NUM_EXAMPLES)
    job = make_job(
        tmp_path / "job",
        base,
        data,
        method=method,
        n_epochs=4,
        batch_size=NUM_EXAMPLES,
        learning_rate=0.002,
        lr_schedule="constant",
        warmup_share=0.0,
    )
    run_job(job)
    own = [each["data"]["train_loss"] for each in job.events() if each["type"] == "metrics"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = losses_of_trl(base, data, method, tmp_path / "trl")
    # TRL rounds to four decimals or more, and AdamW magnifies the rounding of small gradients.
    assert own == pytest.approx(expected, rel=2e-3)
    assert own[-1] < own[0]
