"""``JobTable``: the fine-tuning jobs of a run."""

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
    """One attempt at a fine-tuning job."""

    key: str
    """Idempotency key of the attempt, derived from its definition and sent to the service."""

    iteration: int
    """Iteration whose rollouts the job trains on, counted from 1."""

    model_group: str
    """Model group that is trained."""

    attempt: int
    """Number of the attempt, from 0; incremented after a failure."""

    status: JobStatus
    """Status of the job."""

    backend: str
    """Registered name of the fine-tuning backend."""

    base_model: str
    """The model that training starts from."""

    method: str
    """``supervised``, ``dpo`` or ``policy_gradient``."""

    hyper_params: Mapping[str, Any]
    """Training options sent to the service; it chooses the missing ones."""

    seed: int
    """Seed of the training, below 2^31."""

    suffix: str
    """Suffix of the name of the resulting model."""

    dataset_path: str
    """File of the dataset, relative to the folder of the run."""

    dataset_sha256: str
    """SHA-256 of the dataset, in hexadecimal."""

    num_examples: int
    """Number of examples in the dataset."""

    file_name: str
    """File name of the dataset at the service."""

    file_id: str | None = None
    """Id of the uploaded dataset at the service."""

    job_id: str | None = None
    """Id of the job at the service."""

    model: str | None = None
    """Name of the resulting model."""

    trained_tokens: int | None = None
    """Number of training tokens reported by the service."""

    cost: float | None = None
    """Cost in dollars; None if the price is unknown."""

    error: str | None = None
    """Error message of a failed job."""

    has_stopped_run: bool = False
    """Whether the failure stopped the run; resuming the run then starts another attempt."""

    events: tuple[Mapping[str, Any], ...] = field(default=())
    """Events and metrics reported by the service, oldest first."""


_FIELDS = tuple(each.name for each in dataclasses.fields(FineTuningJobRow))
_AS_JSON = ("hyper_params", "events")
_SELECT = f"SELECT {', '.join(_FIELDS)} FROM fine_tuning_jobs"
_INSERT = (
    f"INSERT INTO fine_tuning_jobs ({', '.join(_FIELDS)}) "
    f"VALUES ({', '.join('?' for _ in _FIELDS)}) ON CONFLICT (key) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _FIELDS)
)


class JobTable:
    """All fine-tuning jobs of a run, including failed attempts.

    Parameters
    ----------
    transactions : Transactions
        Transactions of the database.
    flush : Callable[[], None]
        Flushes the database to disk. Called after each ``save`` outside a transaction, because a
        paid job should survive a power failure.
    """

    def __init__(self, transactions: Transactions, flush: Callable[[], None]) -> None:
        self._transactions = transactions
        self._flush = flush

    def save(self, job: FineTuningJobRow) -> None:
        """Insert or update an attempt.

        Raises ``sqlite3.IntegrityError`` if its group and iteration have that attempt under another
        key.
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
        """Return the attempt with this key; None if it does not exist."""
        found = self._select("WHERE key = ?", key)
        return found[0] if found else None

    def of_iteration(self, iteration: int) -> list[FineTuningJobRow]:
        """Return the attempts of an iteration, ordered by group and attempt."""
        return self._select("WHERE iteration = ? ORDER BY model_group, attempt", iteration)

    def all(self) -> list[FineTuningJobRow]:
        """Return all attempts, ordered by iteration, group and attempt."""
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
