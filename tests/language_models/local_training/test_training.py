"""Jobs learn from their examples, and an interrupted one ends as if it had not been."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("peft", reason="the extra lm-local is missing")

import torch
from safetensors.torch import load_file

from nip.language_models.local_training.job_folder import JobFolder
from nip.language_models.local_training.training import Training, run_job
from tests.language_models.local_model.tiny_model import make_model
from tests.language_models.local_training.jobs import (
    make_job,
    policy_gradient,
    write_examples,
    write_pairs,
    write_responses,
)

NUM_UPDATES = 9
"""Of 20 examples in batches of 8, three times."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("base"))


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    return write_examples(tmp_path / "examples.jsonl")


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    return write_pairs(tmp_path / "pairs.jsonl")


def weights(job: JobFolder) -> dict[str, torch.Tensor]:
    files = [*job.path.glob("model/*.safetensors"), *job.path.glob("optimizer/*.safetensors")]
    assert files
    return {f"{f.name} {name}": each for f in files for name, each in load_file(f).items()}


def losses(job: JobFolder) -> list[float]:
    events = [event["data"] for event in job.events() if event["type"] == "metrics"]
    assert [data["step"] for data in events] == list(range(1, len(events) + 1))
    return [data["train_loss"] for data in events]


class InterruptedTrainingError(Exception):
    pass


def interrupt_after(job: JobFolder, num_updates: int) -> None:
    def check(updates: int) -> None:
        if updates == num_updates:
            raise InterruptedTrainingError

    with pytest.raises(InterruptedTrainingError):
        Training(job, check).run()


@pytest.mark.parametrize(
    "given",
    [
        {"keep_optimizer_state": True, "gradient_accumulation_steps": 3},
        {"adaptation": "lora", "lora_dropout": 0.3, "lr_schedule": "cosine"},
        {"method": "dpo", "adaptation": "lora"},
        {"method": "policy_gradient", "adaptation": "lora", "keep_optimizer_state": True},
    ],
    ids=["full", "lora", "dpo", "policy_gradient"],
)
def test_a_job_that_was_interrupted_twice_ends_as_one_that_was_not(
    base: Path, examples: Path, pairs: Path, tmp_path: Path, given: dict[str, Any]
) -> None:
    data = pairs if given.get("method") == "dpo" else examples
    if given.get("method") == "policy_gradient":
        data, given = write_responses(tmp_path / "responses"), {**given, **policy_gradient(base)}
    whole = make_job(tmp_path / "whole", base, data, **given)
    run_job(whole)
    # A checkpoint after each update.
    broken = make_job(tmp_path / "broken", base, data, checkpoint_minutes=1e-9, **given)
    num_updates = len(losses(whole))
    interrupt_after(broken, 2)
    interrupt_after(broken, num_updates - 1)
    done: list[int] = []
    status = Training(broken, done.append).run()
    # Only the last update was left.
    assert done == [num_updates]
    assert status == whole.status
    assert losses(broken) == losses(whole)
    expected, found = weights(whole), weights(broken)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_the_examples_are_learnt(base: Path, examples: Path, tmp_path: Path) -> None:
    job = make_job(tmp_path / "job", base, examples, n_epochs=20, checkpoint_minutes=0.001)
    run_job(job)
    assert job.status.status == "succeeded", job.status
    assert not job.checkpoints.exists()
    # The two verdicts differ in one token of about ten, at random: ln 2 / 10 is what remains.
    assert losses(job)[-1] < 0.15 < 1.0 < losses(job)[0]


def test_the_preferred_answers_are_learnt(base: Path, pairs: Path, tmp_path: Path) -> None:
    job = make_job(tmp_path / "job", base, pairs, method="dpo", learning_rate=0.002)
    run_job(job)
    found = losses(job)
    # Before the first update the model is the reference: -ln σ(0).
    assert found[0] == pytest.approx(0.6931472, abs=1e-6)
    assert found[-1] < 0.5


def test_parts_of_a_batch_give_the_same_update(base: Path, examples: Path, tmp_path: Path) -> None:
    one, three = (
        make_job(tmp_path / str(number), base, examples, gradient_accumulation_steps=number)
        for number in (1, 3)
    )
    for job in (one, three):
        run_job(job)
    # AdamW magnifies the rounding of small gradients, so that losses are compared, of single
    # precision and few updates.
    assert losses(one) == pytest.approx(losses(three), rel=1e-3)
    assert losses(one)[0] == pytest.approx(losses(three)[0], rel=1e-6)


def test_the_optimizer_continues_where_the_job_of_the_base_model_ended(
    base: Path, examples: Path, tmp_path: Path
) -> None:
    kept = {"keep_optimizer_state": True, "lr_schedule": "constant", "warmup_share": 0.0}
    first = make_job(tmp_path / "first", base, examples, n_epochs=1, **kept)
    run_job(first)
    second, forgetful = (
        make_job(tmp_path / name, first.model, examples, n_epochs=1, **{**kept, **more})
        for name, more in (("second", {}), ("forgetful", {"keep_optimizer_state": False}))
    )
    for job in (second, forgetful):
        run_job(job)
    count = next(each for name, each in weights(second).items() if " step." in name)
    assert count == 6
    # The first loss is that of the model, the next one that after the first update.
    assert losses(second)[0] == losses(forgetful)[0]
    assert losses(second)[1] != losses(forgetful)[1]


def test_only_optimizers_that_a_later_job_may_need_are_kept(
    base: Path, examples: Path, tmp_path: Path
) -> None:
    def train(folder: Path, name: str, source: Path) -> JobFolder:
        job = make_job(folder, source, examples, name=name, n_epochs=1, keep_optimizer_state=True)
        run_job(job)
        assert job.status.status == "succeeded", job.status
        return job

    first = train(tmp_path / "run" / "1", "verifier@1", base)
    other_group = train(tmp_path / "run" / "2", "verifier two@1", base)
    other_run = train(tmp_path / "other" / "1", "verifier@1", base)
    second = train(tmp_path / "run" / "3", "verifier@2", first.model)
    # With `fine_tune_from_scratch` the base model is no job's, and the state is replaced as well.
    third = train(tmp_path / "run" / "4", "verifier@3", base)
    kept = [job for job in (first, other_group, other_run, second, third) if job.optimizer.exists()]
    assert kept == [other_group, other_run, third]
    # The optimizer of the second job had started where that of the first one ended.
    assert all(job.model.exists() for job in (first, second))


def test_an_adapter_is_continued(base: Path, examples: Path, tmp_path: Path) -> None:
    first = make_job(tmp_path / "first", base, examples, adaptation="lora")
    run_job(first)
    second = make_job(
        tmp_path / "second", first.model, examples, adaptation="lora", adapted_model=str(base)
    )
    merged = make_job(tmp_path / "merged", first.model, examples, adapted_model=str(base))
    for job in (second, merged):
        run_job(job)
        assert losses(job)[0] < losses(first)[-2]
    assert (second.model / "adapter_model.safetensors").is_file()
    assert not (second.model / "model.safetensors").exists()
    assert (merged.model / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (
            {"learning_rate": 1e30, "checkpoint_minutes": 1e-9},
            r"The training loss of update \d is (nan|inf)",
        ),
        ({"max_length": 5}, "None of the 20 examples has at most 5 tokens"),
        ({"base_model": "nowhere"}, "'nowhere', which does not exist"),
        ({"adaptation": "lora", "lora_target_modules": ["no_such"]}, "no_such"),
    ],
    ids=["diverged", "too long", "no model", "no layer"],
)
def test_a_failure_has_its_reason(
    base: Path, examples: Path, tmp_path: Path, given: dict[str, Any], reason: str
) -> None:
    job = make_job(tmp_path / "job", base, examples, **given)
    run_job(job)
    assert job.status.status == "failed"
    assert not job.model.exists()
    assert not job.checkpoints.exists()
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(job.status.error)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"not json\n", "Line 1 of .* is no JSON"),
        (b"[]\n", "Line 1 of .* must be an object"),
        (b'{"messages": []}\n', "has no list of messages under 'messages'"),
    ],
    ids=["text", "list", "empty"],
)
def test_broken_data_is_reported(base: Path, tmp_path: Path, content: bytes, reason: str) -> None:
    data = tmp_path / "data.jsonl"
    data.write_bytes(content)
    job = make_job(tmp_path / "job", base, data)
    run_job(job)
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(job.status.error)
