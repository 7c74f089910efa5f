"""Add up the cost of a run from what one dialogue takes in each of its stages."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import fsum

from nip.language_models.chat import ModelSpec, TokenUsage
from nip.language_models.costs.estimate import RunCost
from nip.language_models.costs.prices import Prices
from nip.language_models.fine_tuning.job_cost import price_of_job
from nip.parameters import HyperParameters
from nip.run_store import RolloutPhase
from nip.scenario_base.text.agent import rehearsed_model_of
from nip.scenario_base.text.shared_model_group import PureTextSharedModelGroup
from nip.scenario_instance import PureTextScenarioInstance
from nip.trainers.text.data_order import (
    RolloutRequest,
    is_tested,
    requests_of_stage,
    reruns_tests,
)
from nip.trainers.text.first_verifier import calls_first_verifier


@dataclass(frozen=True)
class Stage:
    """The dialogues of one stage."""

    phase: RolloutPhase
    """``train``, ``test``, or ``judged``: one call of the first verifier for each dialogue."""

    iteration: int
    """The iteration, counted from 0."""

    requests: list[RolloutRequest]
    """The dialogues."""


def stages_of(hyper_params: HyperParameters, instance: PureTextScenarioInstance) -> Iterator[Stage]:
    """Yield all stages in which dialogues are sampled, or judged by the first verifier."""
    sizes = {"train": len(instance.train_dataset), "test": len(instance.test_dataset)}
    for iteration in range(hyper_params.rl.num_iterations):
        phases: list[RolloutPhase] = [] if reruns_tests(hyper_params) else ["train"]
        if is_tested(hyper_params, iteration):
            phases.append("test")
        for phase in phases:
            requests = requests_of_stage(hyper_params, phase, iteration, sizes[phase])
            yield Stage(phase, iteration, requests)
        if calls_first_verifier(hyper_params, instance, iteration):
            yield Stage("judged", iteration, requests)


def learning_groups(
    hyper_params: HyperParameters, instance: PureTextScenarioInstance
) -> list[PureTextSharedModelGroup]:
    """Return the groups whose models are fine-tuned."""
    trains = hyper_params.rl.num_iterations > 1 and not reruns_tests(hyper_params)
    return [
        group for group in instance.shared_model_groups.values() if trains and not group.is_frozen
    ]


@dataclass
class CostSum:
    """Sums tokens and dollars at the prices of the real models, also for a rehearsal."""

    hyper_params: HyperParameters
    instance: PureTextScenarioInstance
    prices: Prices
    takes_dearest: bool = False
    """Whether a model that may be fine-tuned counts at the higher of both prices."""
    _calls: dict[tuple[str, bool], TokenUsage] = field(default_factory=dict)
    _trained: dict[str, int] = field(default_factory=dict)

    def add_calls(self, agent: str, usage: TokenUsage, *, is_tuned: bool) -> None:
        """Add calls of an agent to its base model, or to a fine-tuned one."""
        key = (agent, is_tuned)
        self._calls[key] = self._calls.get(key, TokenUsage()) + usage

    def add_job(self, group: str, num_tokens: int) -> None:
        """Add a fine-tuning job of a group, with its tokens of all epochs."""
        self._trained[group] = self._trained.get(group, 0) + num_tokens

    def total(self) -> RunCost:
        """Return tokens and cost of all that was added."""
        usage = sum(self._calls.values(), TokenUsage())
        sampling = fsum(self._cost(*key, usage) for key, usage in self._calls.items())
        training = fsum(self._cost_of_jobs(*item) for item in self._trained.items())
        return RunCost(usage, sampling, sum(self._trained.values()), training)

    def _cost(self, agent: str, is_tuned: bool, usage: TokenUsage) -> float:
        base = rehearsed_model_of(self.instance.agents[agent].params)
        tuned = replace(base, model_name=f"ft:{base.model_name}", fine_tuned_from=base.model_name)
        models = [tuned if is_tuned else base, *([base] if self.takes_dearest else [])]
        return max(_at(self.prices, model, usage) for model in models)

    def _cost_of_jobs(self, group: str, num_tokens: int) -> float:
        agent = self.instance.shared_model_groups[group].agent_names[0]
        base = rehearsed_model_of(self.instance.agents[agent].params)
        backend = self.hyper_params.fine_tuning.backend
        price = price_of_job(
            self.prices, backend, base.model_name, is_free=False, base_url=base.base_url
        )
        return 0.0 if price is None else price.of_training(num_tokens) or 0.0


def _at(prices: Prices, model: ModelSpec, usage: TokenUsage) -> float:
    price = prices.get(model)
    return 0.0 if price is None else price.of(usage)


def scaled(usage: TokenUsage, factor: float) -> TokenUsage:
    """Return token counts multiplied by a factor."""
    return TokenUsage(round(usage.prompt_tokens * factor), round(usage.completion_tokens * factor))
