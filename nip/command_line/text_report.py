"""Report of a dry run with language models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from nip.parameters import HyperParameters

if TYPE_CHECKING:
    from nip.language_models.costs.estimate import RunCost
    from nip.trainers.text.plan import TextPlan


def text_plan_table(hyper_params: HyperParameters, plan: TextPlan) -> RenderableType:
    """Lay out the number of requests and their estimated cost."""
    return Group(_sizes(hyper_params, plan), Text(""), _agents(plan))


def _sizes(hyper_params: HyperParameters, plan: TextPlan) -> Table:
    estimate = plan.estimate
    only_tests = hyper_params.base_run.base_run_type == "rerun_tests"
    trains = any(agent.learns for agent in plan.agents)
    rows = {
        "scenario": f"{hyper_params.scenario}, dataset {hyper_params.dataset}",
        "protocol": hyper_params.interaction_protocol,
        "trainer": hyper_params.trainer,
        "datapoints": (
            f"{plan.num_train_datapoints} to train on, {plan.num_test_datapoints} to test on"
        ),
        "iterations": (
            f"{plan.num_iterations} of run {hyper_params.base_run.run_id}, whose models are tested"
            if only_tests
            else f"{plan.num_iterations}, with a fine-tuning after each but the last"
            if trains
            else f"{plan.num_iterations}, without any fine-tuning"
        ),
        "rollouts": f"{plan.num_rollouts:,}, tests included",
        "calls": f"{sum(agent.num_calls for agent in plan.agents):,} at most, without retries",
    }
    rows["tokens"] = f"{_tokens(plan.expected)} expected, {_tokens(plan.worst)} at most"
    rows["cost"] = f"{_dollars(plan.expected, trains)} expected"
    rows["at most"] = f"{_dollars(plan.worst, trains)}, if no call is repeated"
    if plan.rehearses:
        rows["at most"] += "\n(nothing for agents that rehearse, use_dummy_api=true)"
    if estimate.models_without_price:
        names = ", ".join(model.model_name for model in estimate.models_without_price)
        rows["not counted"] = f"{names}: no price is known"
    table = Table(title="Would run", title_justify="left", show_header=False)
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _tokens(cost: RunCost) -> str:
    usage, trained = cost.usage, cost.trained_tokens
    text = f"{usage.prompt_tokens:,} read and {usage.completion_tokens:,} written"
    return f"{text}, {trained:,} trained" if trained else text


def _dollars(cost: RunCost, trains: bool) -> str:
    parts = f" (${cost.sampling:,.2f} sampling, ${cost.training:,.2f} fine-tuning)"
    return f"about ${cost.total:,.2f}{parts if trains else ''}"


def _agents(plan: TextPlan) -> Table:
    table = Table(title="Agents and their models", title_justify="left")
    for name in ("agent", "model", "group", "learns"):
        table.add_column(name)
    table.add_column("calls", justify="right")
    for agent in plan.agents:
        learns = "yes" if agent.learns else "no"
        table.add_row(agent.name, agent.model, agent.group, learns, f"{agent.num_calls:,}")
    return table
