"""The bill of a run: dollars and tokens, and how its dialogues ended."""

from collections.abc import Iterable
from dataclasses import replace
from math import fsum
from typing import Any

from nip.language_models.costs.usage_tracker import UsageTracker
from nip.run_store import BILL_KEY, UNCERTAIN_KEY, Run
from nip.scenario_base.text.agent import REHEARSAL_PROVIDER
from nip.scenario_base.text.rollout import Rollout
from nip.trainers.text.training_bill import TrainingBill

NO_VERDICT = 2


def save_bill(run: Run, usage_tracker: UsageTracker, training: TrainingBill) -> None:
    """Store the bill, which ``result.json`` and the final table show."""
    training.update()
    total = usage_tracker.total
    bill: dict[str, Any] = {
        "cost": usage_tracker.cost,
        "tokens": total.usage.total_tokens + training.trained_tokens,
        "sampling_cost": usage_tracker.cost - usage_tracker.training_cost,
        "training_cost": usage_tracker.training_cost,
        "prompt_tokens": total.prompt_tokens,
        "completion_tokens": total.completion_tokens,
        "trained_tokens": training.trained_tokens,
        "num_calls": total.num_calls,
        "num_cached_calls": total.num_cached_calls,
        "num_estimated": total.num_estimated_calls + training.num_estimated,
        "models_without_price": [each.model_name for each in usage_tracker.models_without_price],
    }
    if any(model.provider == REHEARSAL_PROVIDER for _, model in usage_tracker.accounts):
        bill["real_sampling_cost"] = _real_cost(usage_tracker)
    run.set_state(BILL_KEY, {**(run.get_state(BILL_KEY) or {}), **bill})
    uncertain = {"cost": usage_tracker.held_cost, "num_lost_answers": total.num_lost_calls}
    run.set_state(UNCERTAIN_KEY, uncertain)


def _real_cost(usage_tracker: UsageTracker) -> float:
    """Return what the answers of a rehearsal would have cost at the real models."""
    prices = usage_tracker.prices
    real = (
        account.cost(prices.get(replace(model, provider="openai")))
        for (_, model), account in usage_tracker.accounts.items()
    )
    return fsum(cost or 0.0 for cost in real)


def count_dialogues(run: Run, phase: str, iteration: int, rollouts: Iterable[Rollout]) -> None:
    """Add a stage to the shares of failed, invalid and undecided dialogues of the run."""
    bill = run.get_state(BILL_KEY) or {}
    rollouts = list(rollouts)
    finished = [rollout for rollout in rollouts if not rollout.is_failed]
    stages = bill.get("stages", {})
    stages[f"{phase}/{iteration + 1}"] = [
        len(rollouts),
        len(rollouts) - len(finished),
        sum(rollout.has_invalid_message for rollout in finished),
        sum(rollout.verdict == NO_VERDICT for rollout in finished),
    ]
    number, failed, invalid, undecided = (
        sum(column) for column in zip(*stages.values(), strict=True)
    )
    bill |= {
        "stages": stages,
        "num_dialogues": number,
        "failed_share": failed / number if number else 0.0,
        "invalid_share": invalid / (number - failed) if number > failed else 0.0,
        "undecided_share": undecided / (number - failed) if number > failed else 0.0,
    }
    run.set_state(BILL_KEY, bill)
