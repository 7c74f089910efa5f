"""Requests of local jobs."""

import asyncio
from pathlib import Path

import pytest

pytest.importorskip("peft", reason="the extra lm-local is missing")

from nip.language_models.chat import ModelSpec
from nip.language_models.fine_tuning.backend import FineTuningMethod, JobRequest
from nip.language_models.fine_tuning.local_backend import LocalBackend
from nip.language_models.local_training.job_folder import (
    JOBS_FOLDER,
    JobFolder,
    JobStatus,
    TrainingRequest,
)
from nip.language_models.provider_registry import ConnectionContext
from tests.language_models.local_model.tiny_model import make_model


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a base model and one that was trained from it."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("base", "later"):
        make_model(folder / name)
    return folder


def request_for(
    folder: Path, models: Path, method: FineTuningMethod, **options: object
) -> TrainingRequest:
    """Return what a job is asked to train that starts from the later model."""
    later, base = str(models / "later"), str(models / "base")
    model = ModelSpec(provider="local", model_name=later, fine_tuned_from=base)
    backend = LocalBackend(model, ConnectionContext(run_folder=folder))
    # No job is to be trained.
    backend._ensure_worker = JobStatus  # type: ignore[method-assign]
    request = JobRequest("key", later, "file", method, "suffix", 1, beta=0.5, options=options)
    asyncio.run(backend.create_job(request))
    return JobFolder(folder / JOBS_FOLDER / "key").request()


@pytest.mark.parametrize(
    ("method", "options", "reference"),
    [
        ("dpo", {"dpo_reference": "latest"}, None),
        ("dpo", {"dpo_reference": "base"}, "base"),
        ("dpo", {}, None),
        ("supervised", {"dpo_reference": "base"}, None),
    ],
)
def test_the_reference_of_preferences_is_the_latest_or_the_base_model(
    tmp_path: Path,
    models: Path,
    method: FineTuningMethod,
    options: dict[str, str],
    reference: str | None,
) -> None:
    request = request_for(tmp_path, models, method, **options)
    assert request.base_model == str(models / "later")
    assert request.reference_model == (None if reference is None else str(models / reference))
