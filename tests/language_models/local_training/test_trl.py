"""The losses are those of TRL."""

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl", reason="the extra dev is missing")

from nip.language_models.local_model.folder import read_model, read_tokenizer
from nip.language_models.local_training.examples import read_lines, response_example
from nip.language_models.local_training.policy_gradient import PolicyGradient, Response
from nip.language_models.local_training.training import run_job
from tests.language_models.local_model.tiny_model import make_model
from tests.language_models.local_training.jobs import (
    make_job,
    write_examples,
    write_pairs,
    write_responses,
)

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


def losses_of_trl(
    base: Path, data: Path, method: str, folder: Path, rpo_alpha: float = 0.0
) -> list[float]:
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
        common |= {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, rpo_alpha]}
        trainer = trl.DPOTrainer(args=trl.DPOConfig(beta=0.1, **common), **given)
    else:
        trainer = trl.SFTTrainer(args=trl.SFTConfig(**common), **given)
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


@pytest.mark.parametrize(
    ("method", "given"),
    [("supervised", {}), ("dpo", {}), ("dpo", {"rpo_alpha": 0.5})],
    ids=["supervised", "dpo", "rpo"],
)
def test_updates_have_the_losses_of_trl(
    method: str, given: dict[str, float], tmp_path: Path
) -> None:
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
        **given,
    )
    run_job(job)
    own = [each["data"]["train_loss"] for each in job.events() if each["type"] == "metrics"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = losses_of_trl(base, data, method, tmp_path / "trl", **given)
    # TRL rounds to four decimals or more, and AdamW magnifies the rounding of small gradients.
    assert own == pytest.approx(expected, rel=2e-3)
    assert own[-1] < own[0]


def test_the_loss_of_policy_gradients_is_that_of_trl(tmp_path: Path) -> None:
    """The model has moved away from the one that has sampled, and from the reference."""
    import datasets
    import torch
    import trl

    base = make_model(tmp_path / "base")
    data = write_responses(tmp_path / "data", NUM_EXAMPLES, temperature=0.7)
    tokenizer = read_tokenizer(base)
    tokenizer.pad_token = tokenizer.eos_token
    generator = torch.Generator().manual_seed(1)

    def moved(size: float) -> Any:
        model = read_model(base, "float32").eval()
        with torch.no_grad():
            for each in model.parameters():
                each.add_(size * torch.randn(each.shape, generator=generator))
        return model

    policy, reference, model = moved(0.0), moved(0.01), moved(0.01)

    @contextmanager
    def open_model(folder: str | None) -> Iterator[Any]:
        yield policy if folder is None else reference

    responses = [
        Response(response_example(tokenizer, line), line["advantage"], line["temperature"])
        for line in read_lines(data)
    ]
    objective = PolicyGradient(responses, 0.2, 0.1, "reference", (), open_model)
    objective.prepare(policy, "cpu")
    indices = range(NUM_EXAMPLES)
    own = objective.loss(model, indices, "cpu") / objective.weight(indices)
    own.backward()
    gradient = model.model.layers[0].mlp.up_proj.weight.grad.clone()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        args = trl.GRPOConfig(
            output_dir=str(tmp_path / "trl"),
            loss_type="bnpo",
            beta=0.1,
            epsilon=0.2,
            temperature=0.7,
            # The penalty of DeepSeekMath, without the ratio of a later version.
            use_bias_correction_kl=False,
            num_generations=2,
            per_device_train_batch_size=NUM_EXAMPLES,
            gradient_checkpointing=False,
            report_to="none",
            bf16=False,
            use_cpu=True,
        )
        trainer = trl.GRPOTrainer(
            model=model,
            reward_funcs=lambda completions, **_: [0.0] * len(completions),
            args=args,
            train_dataset=datasets.Dataset.from_list([{"prompt": "x"}] * NUM_EXAMPLES),
            processing_class=tokenizer,
        )
    trainer.current_gradient_accumulation_steps = 1
    prompts = [list(each.example.tokens[: each.example.start]) for each in responses]
    answers = [list(each.example.tokens[each.example.start :]) for each in responses]
    longest = [max(map(len, parts)) for parts in (prompts, answers)]
    # TRL pads prompts on the left, and answers on the right.
    inputs: dict[str, Any] = {
        "prompt_ids": torch.tensor([[0] * (longest[0] - len(p)) + p for p in prompts]),
        "prompt_mask": torch.tensor([[0] * (longest[0] - len(p)) + [1] * len(p) for p in prompts]),
        "completion_ids": torch.tensor([a + [0] * (longest[1] - len(a)) for a in answers]),
        "completion_mask": torch.tensor(
            [[1] * len(a) + [0] * (longest[1] - len(a)) for a in answers]
        ),
        "advantages": torch.tensor([each.advantage for each in responses]),
    }
    ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1)
    mask = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1)
    weights = {name: each.clone() for name, each in model.state_dict().items()}
    for name, fixed in (("old", policy), ("ref", reference)):
        # TRL has adapted this model to its own computation.
        model.load_state_dict(fixed.state_dict())
        with torch.no_grad():
            found = trainer._get_per_token_logps_and_entropies(model, ids, mask, longest[1])[0]
        inputs[f"{name}_per_token_logps"] = found
    model.load_state_dict(weights)
    model.zero_grad()
    expected = trainer._compute_loss(model.eval(), inputs)
    expected.backward()
    assert own.item() == pytest.approx(expected.item(), rel=1e-4)
    again = model.model.layers[0].mlp.up_proj.weight.grad
    assert torch.allclose(again, gradient, rtol=1e-3, atol=1e-6)
    # Both the clipping and the penalty have an effect.
    measures = objective.measures()
    assert measures["clipped_share"] > 0 and measures["kl"] > 0
