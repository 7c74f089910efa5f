"""Small jobs for tests."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from nip.language_models.chat import ChatMessage
from nip.language_models.fine_tuning import (
    Preference,
    ScoredResponse,
    policy_gradient_dataset,
    preference_dataset,
    supervised_dataset,
)
from nip.language_models.local_training.job_folder import JobFolder, TrainingRequest
from nip.parameters import LocalTrainingParameters

_FIELDS = {field.name for field in dataclasses.fields(TrainingRequest)}


def options(**given: Any) -> dict[str, Any]:
    """Return values of ``local_training`` as a job gets them."""
    values = LocalTrainingParameters(**{"adaptation": "full", "learning_rate": 0.01, **given})
    return json.loads(json.dumps({k: v for k, v in values.to_dict().items() if k != "_type"}))


def conversation(number: int) -> list[ChatMessage]:
    """Return a question, which differs from that of another number."""
    return [
        ChatMessage(role="system", content="You are a verifier."),
        ChatMessage(role="user", content=f"Is {number} right? " + "def " * (number % 5)),
    ]


def write_examples(path: Path, num_examples: int = 20) -> Path:
    """Write questions with verdicts."""
    verdicts = ("Decision: accept", "Decision: reject")
    examples = [
        [*conversation(number), ChatMessage(role="assistant", content=verdicts[number % 2])]
        for number in range(num_examples)
    ]
    path.write_bytes(supervised_dataset(examples).content)
    return path


def write_pairs(path: Path, num_pairs: int = 12) -> Path:
    """Write pairs in which the same verdict is always preferred."""
    pairs = [
        Preference(conversation(number), "Decision: accept", "Decision: reject")
        for number in range(num_pairs)
    ]
    path.write_bytes(preference_dataset(pairs).content)
    return path


def write_responses(path: Path, num_responses: int = 24, **given: Any) -> Path:
    """Write pairs of responses in which the same verdict always has a positive advantage."""
    verdicts = ("Decision: accept", "Decision: reject")
    responses = [
        ScoredResponse(
            conversation(number // 2), verdicts[number % 2], 1.0 - 2.0 * (number % 2), **given
        )
        for number in range(num_responses)
    ]
    path.write_bytes(policy_gradient_dataset(responses).content)
    return path


def policy_gradient(base: Path, **given: Any) -> dict[str, Any]:
    """Return the fields of a request for policy gradients, whose reference is a base model."""
    options = {
        "clip_epsilon": 0.2,
        "kl_coefficient": 0.1,
        "reference_model": str(base),
        "earlier_models": [],
    }
    return {"method": "policy_gradient", "policy_gradient": {**options, **given}}


def make_job(path: Path, base: Path, dataset: Path, **given: Any) -> JobFolder:
    """Create a job; fields of the request and values of ``local_training`` may be given."""
    fields = {name: given.pop(name) for name in list(given) if name in _FIELDS}
    path.parent.mkdir(parents=True, exist_ok=True)
    job = JobFolder(path)
    request = {
        "base_model": str(base),
        "adapted_model": None,
        "dataset": str(dataset),
        "method": "supervised",
        "seed": 1,
        "n_epochs": 3,
        "batch_size": 8,
        "options": options(**given),
    }
    job.create(TrainingRequest(**{**request, **fields}))
    return job
