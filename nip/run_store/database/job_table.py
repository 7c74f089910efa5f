"""The fine-tuning jobs of a run, from the plan to the model."""

import dataclasses
import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from nip.run_store.database.transactions import Transactions
from nip.utils.exact_json import dump_compactly

JobStatus = Literal[
    "PLANNED",
    "UPLOADED",
    "CREATING",
    "CREATED",
    "RUNNING",
    "PAUSED",
    "SUCCEEDED",
    "FAILED",
    "CANCELLED",
]


@dataclass(frozen=True)
class FineTuningJobRow:
    """What is known of one attempt at one job."""

    key: str
    """Name of the attempt, made of all that defines it; the service is told it too."""

    iteration: int
    """Iteration whose rollouts the job learns from."""

    model_group: str
    """The group of agents whose model is trained."""

    attempt: int
    """0 for the first attempt, higher after failures."""

    status: JobStatus
    """How far it is."""

    backend: str
    """Registered name of the service."""

    base_model: str
    """The model that training starts from."""

    method: str
    """``supervised`` or ``dpo``."""

    hyper_params: Mapping[str, Any]
    """What the service was told of how to train; what is missing is its own choice."""

    seed: int
    """Seed of the training, below 2^31."""

    suffix: str
    """Ending of the name of the resulting model."""

    dataset_path: str
    """The dataset, relative to the folder of the run."""

    dataset_sha256: str
    """Hex digest of the dataset."""

    num_examples: int
    """Examples in the dataset."""

    file_name: str
    """Name of the dataset at the service."""

    file_id: str | None = None
    """What the service calls the uploaded dataset."""

    job_id: str | None = None
    """What the service calls the job."""

    model: str | None = None
    """The resulting model."""

    trained_tokens: int | None = None
    """Tokens that the service counted."""

    cost: float | None = None
    """Dollars; None where the price is not known."""

    error: str | None = None
    """Why it did not succeed."""

    has_stopped_run: bool = False
    """Whether the run stopped because it failed; whoever starts it again wants another attempt."""

    events: tuple[Mapping[str, Any], ...] = field(default=())
    """What the service reported, metrics included, oldest first."""


_FIELDS = tuple(each.name for each in dataclasses.fields(FineTuningJobRow))
_AS_JSON = ("hyper_params", "events")
_SELECT = f"SELECT {', '.join(_FIELDS)} FROM fine_tuning_jobs"
_INSERT = (
    f"INSERT INTO fine_tuning_jobs ({', '.join(_FIELDS)}) "
    f"VALUES ({', '.join('?' for _ in _FIELDS)}) ON CONFLICT (key) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _FIELDS)
)


class JobTable:
    """All attempts at all jobs of a run.

    Parameters
    ----------
    transactions : Transactions
        Those of the database of the run.
    flush : Callable[[], None]
        Forces what was stored onto the disk. Called after each ``save`` outside a transaction: what
        is known of a paid job should outlive a power cut as well.
    """

    def __init__(self, transactions: Transactions, flush: Callable[[], None]) -> None:
        self._transactions = transactions
        self._flush = flush

    def save(self, job: FineTuningJobRow) -> None:
        """Store an attempt, or what is now known of it.

        Raises
        ------
        sqlite3.IntegrityError
            If the same attempt of the same group and iteration is there under another key.
        """
        values = [getattr(job, name) for name in _FIELDS]
        row = [
            dump_compactly(value) if name in _AS_JSON else value
            for name, value in zip(_FIELDS, values, strict=True)
        ]
        with self._transactions() as connection:
            connection.execute(_INSERT, row)
        if not self._transactions.is_open:
            self._flush()

    def get(self, key: str) -> FineTuningJobRow | None:
        """Return the attempt with this key; None if there is none."""
        found = self._select("WHERE key = ?", key)
        return found[0] if found else None

    def of_iteration(self, iteration: int) -> list[FineTuningJobRow]:
        """Return the attempts of an iteration, in the order of groups and attempts."""
        return self._select("WHERE iteration = ? ORDER BY model_group, attempt", iteration)

    def all(self) -> list[FineTuningJobRow]:
        """Return all attempts, in the order of iterations, groups and attempts."""
        return self._select("ORDER BY iteration, model_group, attempt")

    def _select(self, condition: str, *values: Any) -> list[FineTuningJobRow]:
        with self._transactions.reading() as connection:
            rows = connection.execute(f"{_SELECT} {condition}", values).fetchall()
        return [_from_sql(row) for row in rows]


def _from_sql(row: sqlite3.Row | tuple[Any, ...]) -> FineTuningJobRow:
    values = dict(zip(_FIELDS, row, strict=True))
    values["hyper_params"] = json.loads(values["hyper_params"])
    values["has_stopped_run"] = bool(values["has_stopped_run"])
    values["events"] = tuple(json.loads(values["events"]))
    return FineTuningJobRow(**values)
