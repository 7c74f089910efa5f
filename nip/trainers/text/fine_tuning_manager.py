"""Manage the fine-tuning of a run: build conversations, create jobs, wait for the models."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from nip.experiment_settings import ExperimentSettings
from nip.language_models.chat import ChatMessage
from nip.language_models.costs.price_file import read_prices
from nip.language_models.costs.usage_tracker import UsageTracker
from nip.language_models.fine_tuning import (
    FineTuningBackend,
    FineTuningDataset,
    JobOptions,
    JobPlan,
    JobRunner,
    PolicyGradientOptions,
    PollingPolicy,
    build_fine_tuning_backend,
    find_fine_tuning_backend,
)
from nip.language_models.provider_registry import ConnectionContext
from nip.parameters import HyperParameters
from nip.run_store import Run
from nip.scenario_base.text.agent import REHEARSAL_PROVIDER
from nip.scenario_base.text.shared_model_group import PureTextSharedModelGroup
from nip.seeding import stable_seed
from nip.trainers.core.callback import Event
from nip.trainers.text.service_waits import forget_waits, note_wait
from nip.trainers.text.stored_rollouts import StoredRollouts
from nip.trainers.text.training_bill import TrainingBill
from nip.utils.nested_array_dict import NestedArrayDict

MOCK_API_POLL_S = 0.02
"""Polling interval in seconds if all models are mocked, so that no service is under load."""


class FineTuningManager:
    """Creates the fine-tuning jobs of a run, and waits for them.

    ``notify`` is called with ``on_step_start`` and ``on_step_end`` around the creation of each job.
    """

    def __init__(
        self,
        hyper_params: HyperParameters,
        settings: ExperimentSettings,
        run: Run,
        context: ConnectionContext,
        groups: Mapping[str, PureTextSharedModelGroup],
        stored: StoredRollouts,
        notify: Callable[[Event], None] = lambda _: None,
        usage_tracker: UsageTracker | None = None,
    ) -> None:
        self._params = hyper_params.fine_tuning
        self._backend = find_fine_tuning_backend(self._params.backend)
        self._options = _options_of(self._backend, hyper_params)
        self._seed = hyper_params.seed
        self._settings = settings
        self._run = run
        self._context = context
        self._groups = groups
        self._stored = stored
        self._notify = notify
        self._plans: list[JobPlan] = []
        self.iteration = 0
        self.training_bill = TrainingBill(
            run,
            read_prices(settings.prices),
            usage_tracker or UsageTracker(),
            lambda name: groups[name].base_model.provider == REHEARSAL_PROVIDER,
        )
        self.training_bill.update()

    def conversations(
        self, agent_name: str, rollouts: NestedArrayDict, *, verdict_becomes_truth: bool = False
    ) -> list[list[ChatMessage]]:
        """Return the conversation of each rollout as seen by an agent, ending with its message.

        Rollouts in which the agent wrote nothing are left out.
        """
        rows = list(zip(rollouts["iteration"].tolist(), rollouts["position"].tolist(), strict=True))
        built: dict[int, list[ChatMessage] | None] = {}
        # Sorted by iteration, because `StoredRollouts` caches only one iteration at a time.
        for number in sorted(range(len(rows)), key=rows.__getitem__):
            built[number] = self._stored.conversation(
                *rows[number], agent_name, verdict_becomes_truth=verdict_becomes_truth
            )
        in_order = (built[number] for number in range(len(rows)))
        return [conversation for conversation in in_order if conversation]

    def create_job(
        self,
        group: PureTextSharedModelGroup,
        dataset: FineTuningDataset,
        beta: float | None = None,
        policy_gradient: PolicyGradientOptions | None = None,
    ) -> None:
        """Add a job of the current iteration, which ``create_pending_jobs`` creates."""
        seed = stable_seed(self._seed, "fine-tuning", self.iteration, group.name)
        self._plans.append(
            JobPlan(
                group=group.name,
                base_model=group.model_to_fine_tune.model_name,
                dataset=dataset,
                seed=seed,
                n_epochs=group.n_epochs or self._params.n_epochs,
                batch_size=self._params.batch_size,
                learning_rate_multiplier=self._learning_rate_multiplier(group),
                beta=beta,
                policy_gradient=policy_gradient,
                options={} if self._is_mocked(group) else self._options,
            )
        )

    def _learning_rate_multiplier(self, group: PureTextSharedModelGroup) -> float | None:
        given = group.learning_rate_multiplier or self._params.learning_rate_multiplier
        decay = self._params.learning_rate_decay
        return given if decay == 1 else (given or 1.0) * decay**self.iteration

    async def create_pending_jobs(self) -> None:
        """Create all added jobs concurrently and idempotently."""
        plans, self._plans = self._plans, []
        for _ in plans:
            self._notify("on_step_start")
        backends = self._backends()
        try:
            await self._runner(backends).create(self.iteration + 1, plans)
        finally:
            self.training_bill.settle()
            await _close(backends)
        for _ in plans:
            self._notify("on_step_end")

    async def wait(self) -> dict[str, str]:
        """Wait for all jobs of the iteration; return the new model of each group that has one."""
        backends = self._backends()
        try:
            rows = await self._runner(backends).wait(self.iteration + 1)
        finally:
            self.training_bill.settle()
            await _close(backends)
        return {name: row.model for name, row in rows.items() if row.model is not None}

    @property
    def cost(self) -> float:
        """Cost of all jobs of the run in dollars, as far as prices are known."""
        return self.training_bill.cost

    def _backends(self) -> dict[str, FineTuningBackend]:
        usual, mocked = self._backend.name, self._backend.mocked_by
        return {
            name: build_fine_tuning_backend(
                (mocked or usual) if self._is_mocked(group) else usual,
                group.model_to_fine_tune,
                self._context,
            )
            for name, group in self._groups.items()
            if not group.is_frozen
        }

    @staticmethod
    def _is_mocked(group: PureTextSharedModelGroup) -> bool:
        return group.base_model.provider == REHEARSAL_PROVIDER

    def _poll_s(self, names: Iterable[str]) -> float:
        """Return the first interval between polls, shorter where no service is under load."""
        if all(self._is_mocked(self._groups[name]) for name in names):
            return MOCK_API_POLL_S
        return self._backend.poll_s or self._settings.poll_seconds

    def _runner(self, backends: Mapping[str, FineTuningBackend]) -> JobRunner:
        forget_waits(self._run)
        return JobRunner(
            self._run.run_id,
            self._run.folder,
            self._run.jobs,
            backends,
            JobOptions(
                on_failure=self._params.on_failure,
                num_retries=self._params.num_retries,
                min_examples=self._params.min_examples,
                deadline_s=self._params.deadline_hours * 3600,
            ),
            PollingPolicy(
                self._poll_s(backends),
                max_wait_s=60 * self._settings.max_wait_minutes,
                note_wait=partial(note_wait, self._run),
            ),
            read_prices(self._settings.prices),
            self.training_bill.reserve,
        )


def _options_of(backend: type[FineTuningBackend], hyper_params: HyperParameters) -> dict[str, Any]:
    """Return the values of a backend's own group of hyper-parameters."""
    if backend.parameter_group is None:
        return {}
    values = hyper_params.get(backend.parameter_group).to_dict()
    return {name: value for name, value in values.items() if name != "_type"}


async def _close(backends: Mapping[str, FineTuningBackend]) -> None:
    await asyncio.gather(*(backend.aclose() for backend in backends.values()))
