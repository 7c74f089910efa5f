"""Plans and options of fine-tuning jobs, and the database row and request of each attempt."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from nip.language_models.fine_tuning.backend import (
    FineTuningBackend,
    FineTuningMethod,
    JobRequest,
    PolicyGradientOptions,
)
from nip.language_models.fine_tuning.datasets import FineTuningDataset
from nip.language_models.fine_tuning.job_names import (
    dataset_path,
    job_key,
    job_metadata,
    job_suffix,
    remote_file_name,
    without_missing,
)
from nip.run_store import FineTuningJobRow


@dataclass(frozen=True)
class JobPlan:
    """Fine-tuning of one model group after one iteration."""

    group: str
    """Name of the model group."""

    base_model: str
    """Name of the model that training starts from."""

    dataset: FineTuningDataset
    """The training examples."""

    seed: int
    """Seed of the training, used modulo 2^31."""

    n_epochs: int | None = None
    """Passes over the examples; None: the service chooses."""

    batch_size: int | None = None
    """Examples per update; None: the service chooses."""

    learning_rate_multiplier: float | None = None
    """Factor on the service's learning rate; None: the service chooses."""

    beta: float | None = None
    """DPO only: weight of the KL penalty towards the base model; None: the service chooses."""

    policy_gradient: PolicyGradientOptions | None = None
    """Options of the method ``policy_gradient``; None with other methods."""

    options: Mapping[str, Any] = field(default_factory=dict)
    """Values of the backend's own hyper-parameters."""

    @property
    def hyper_params(self) -> dict[str, Any]:
        """Hyper-parameters that are not chosen by the service, as JSON can hold them."""
        names = ("n_epochs", "batch_size", "learning_rate_multiplier", "beta")
        values = without_missing({name: getattr(self, name) for name in names})
        if self.policy_gradient is not None:
            given = dataclasses.asdict(self.policy_gradient)
            values["policy_gradient"] = {**given, "earlier_models": [*given["earlier_models"]]}
        return {**values, "options": dict(self.options)} if self.options else values


@dataclass(frozen=True)
class JobOptions:
    """Reactions to failed and slow jobs."""

    on_failure: Literal["retry", "skip", "stop"] = "retry"
    """Make another attempt, keep the old model, or stop the run."""

    num_retries: int = 1
    """Further attempts with ``retry``; if all fail, the run stops."""

    min_examples: int = 1
    """Fewest examples of a job; services may require more."""

    deadline_s: float = 24 * 3600.0
    """Seconds to wait for one attempt; restarts in each process that waits for it."""


def first_attempt(
    run_id: str, iteration: int, plan: JobPlan, backend: FineTuningBackend
) -> FineTuningJobRow:
    """Return the database row of the first attempt at a job; ``iteration`` is counted from 1."""
    row = FineTuningJobRow(
        key="",
        iteration=iteration,
        model_group=plan.group,
        attempt=0,
        status="PLANNED",
        backend=backend.name,
        base_model=plan.base_model,
        method=plan.dataset.method,
        hyper_params=plan.hyper_params,
        seed=plan.seed % 2**31,
        suffix="",
        dataset_path=dataset_path(plan.group, iteration),
        dataset_sha256=plan.dataset.sha256,
        num_examples=plan.dataset.num_examples,
        file_name=remote_file_name(plan.group, iteration, plan.dataset.sha256),
    )
    return _with_key(run_id, row)


def next_attempt(run_id: str, row: FineTuningJobRow) -> FineTuningJobRow:
    """Return the row of the next attempt after a failed one, with a new key."""
    again = dataclasses.replace(
        row,
        attempt=row.attempt + 1,
        status="PLANNED",
        file_id=None,
        job_id=None,
        model=None,
        trained_tokens=None,
        cost=None,
        error=None,
        has_stopped_run=False,
        events=(),
    )
    return _with_key(run_id, again)


def request_of(run_id: str, row: FineTuningJobRow) -> JobRequest:
    """Return the request that creates the job of an attempt at the service."""
    assert row.file_id is not None and row.method in get_args(FineTuningMethod), row
    metadata = job_metadata(
        row.key,
        run=run_id,
        iteration=row.iteration,
        group=row.model_group,
        attempt=row.attempt,
        dataset_sha256=row.dataset_sha256,
    )
    return JobRequest(
        key=row.key,
        base_model=row.base_model,
        training_file_id=row.file_id,
        method=row.method,  # type: ignore[arg-type]
        suffix=row.suffix,
        seed=row.seed,
        metadata=metadata,
        **row.hyper_params,
    )


def _with_key(run_id: str, row: FineTuningJobRow) -> FineTuningJobRow:
    key = job_key(
        run=run_id,
        # From 0, as in the keys of jobs that earlier versions of nip have created.
        iteration=row.iteration - 1,
        group=row.model_group,
        attempt=row.attempt,
        backend=row.backend,
        base_model=row.base_model,
        method=row.method,
        hyper_params=dict(row.hyper_params),
        seed=row.seed,
        dataset_sha256=row.dataset_sha256,
    )
    suffix = job_suffix(row.model_group, row.iteration, key)
    return dataclasses.replace(row, key=key, suffix=suffix)
