"""What the fine-tuning jobs of a run cost, and may still cost, as part of its budget."""

from collections.abc import Callable
from functools import lru_cache
from math import fsum

from nip.language_models.costs.budget import check_job_cost
from nip.language_models.costs.prices import Price, Prices
from nip.language_models.costs.usage_tracker import UsageTracker
from nip.language_models.fine_tuning.job_cost import most_trained_tokens, price_of_job
from nip.language_models.fine_tuning.registry import fine_tuning_backend_registry
from nip.language_models.fine_tuning.waiting import FINAL
from nip.run_store import FineTuningJobRow, Run
from nip.utils.files import regular

_NOT_CREATED = ("PLANNED", "UPLOADED")


class TrainingBill:
    """Keeps the costs of jobs in the usage tracker of a run up to date.

    A job that is created and has no cost yet counts with its worst case: all tokens of its dataset
    in each epoch. So does one that the service charged without telling the number of tokens; a
    failed job is free. ``is_rehearsed`` tells whether the mock API trains a group.
    """

    def __init__(
        self,
        run: Run,
        prices: Prices,
        usage_tracker: UsageTracker,
        is_rehearsed: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._run = run
        self._prices = prices
        self._tracker = usage_tracker
        self._is_rehearsed = is_rehearsed
        self._most_tokens = lru_cache(maxsize=None)(self._count_most_tokens)

    @property
    def cost(self) -> float:
        """Cost of all finished jobs in dollars, as far as prices are known.

        That of a job for which the service reported no tokens is its worst case.
        """
        jobs = self._run.jobs.all()
        unreported = fsum(self._worst_cost(job) or 0.0 for job in jobs if _is_unreported(job))
        return unreported + fsum(job.cost or 0.0 for job in jobs)

    @property
    def num_estimated(self) -> int:
        """Number of finished jobs for which the service reported no tokens."""
        return sum(map(_is_unreported, self._run.jobs.all()))

    @property
    def trained_tokens(self) -> int:
        """Tokens of all finished jobs, as reported by the service."""
        return sum(job.trained_tokens or 0 for job in self._run.jobs.all())

    def update(self) -> None:
        """Recompute the costs of jobs in the usage tracker."""
        self._tracker.training_cost = self.cost
        self._tracker.held_training_cost = sum(
            self._worst_cost(job) or 0.0
            for job in self._run.jobs.all()
            if _is_open(job) and not _is_unreported(job)
        )

    def settle(self) -> None:
        """Recompute the costs, and return what jobs did not need to a budget of several runs."""
        self.update()
        self._tracker.settle(exactly=not any(map(_is_under_way, self._run.jobs.all())))

    def reserve(self, job: FineTuningJobRow) -> None:
        """Raise ``BudgetExceededError`` if the worst case of a new job exceeds the budget."""
        self.update()
        if not _is_open(job):
            others = [each for each in self._run.jobs.all() if each.key != job.key]
            check_job_cost(
                self._tracker,
                self._worst_cost(job),
                f"the fine-tuning of group {job.model_group!r} after iteration {job.iteration}",
                is_idle=not any(map(_is_under_way, others)),
            )

    def _worst_cost(self, job: FineTuningJobRow) -> float | None:
        price = self._price(job)
        if price is None or price.training is None:
            return None
        n_epochs = job.hyper_params.get("n_epochs")
        ratio = self._tracker.tokens_per_byte
        tokens = self._most_tokens(job.dataset_path, job.num_examples, n_epochs, ratio)
        return price.of_training(tokens)

    def _price(self, job: FineTuningJobRow) -> Price | None:
        is_free = (
            self._is_rehearsed(job.model_group)
            or fine_tuning_backend_registry.get(job.backend).is_free
        )
        return price_of_job(self._prices, job.backend, job.base_model, is_free=is_free)

    def _count_most_tokens(
        self, path: str, num_examples: int, n_epochs: int | None, ratio: float
    ) -> int:
        content = regular(self._run.folder / path).read_bytes()
        return most_trained_tokens(content, num_examples, n_epochs, ratio)


def _is_open(job: FineTuningJobRow) -> bool:
    """Tell whether a job may be charged, and its cost is not known."""
    return job.cost is None and job.status not in (*_NOT_CREATED, "FAILED")


def _is_under_way(job: FineTuningJobRow) -> bool:
    return job.status not in (*_NOT_CREATED, *FINAL)


def _is_unreported(job: FineTuningJobRow) -> bool:
    return job.cost is None and job.status == "SUCCEEDED"
