"""Report of a dry run on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from nip.parameters import HyperParameters
from nip.utils.console import open_console

if TYPE_CHECKING:
    from nip.experiment.plan import AgentPlan, ExperimentPlan
    from nip.trainers.text.plan import TextPlan


def print_plan(
    hyper_params: HyperParameters,
    plan: ExperimentPlan | TextPlan,
    console: Console | None = None,
    *,
    num_seeds: int = 1,
) -> None:
    """Print the report of a dry run, by default to the terminal.

    ``num_seeds`` is the number of runs like this one that train together.
    """
    console = console or open_console()
    from nip.trainers.text.plan import TextPlan

    if isinstance(plan, TextPlan):
        from nip.command_line.text_report import text_plan_table

        console.print(text_plan_table(hyper_params, plan))
    else:
        console.print(Group(_sizes(hyper_params, plan, num_seeds), Text(""), _agents(plan.agents)))
    console.print("Nothing was trained or written (dry_run=true).")


def _sizes(hyper_params: HyperParameters, plan: ExperimentPlan, num_seeds: int) -> RenderableType:
    first = hyper_params.seed
    rows = {} if num_seeds == 1 else {"seeds": f"{first} to {first + num_seeds - 1}, each as a run"}
    rows |= {
        "scenario": f"{hyper_params.scenario}, dataset {hyper_params.dataset}",
        "protocol": hyper_params.interaction_protocol,
        "trainer": hyper_params.trainer,
        "datapoints": (
            f"{plan.num_train_datapoints} to train on, {plan.num_test_datapoints} to test on"
        ),
        "iterations": str(plan.num_iterations),
    }
    if plan.rollouts is not None:
        rollouts = plan.rollouts
        rows |= {
            "of these": f"{hyper_params.rl.num_iterations} to train, the rest to test",
            "environments": str(rollouts.num_environments),
            "steps": f"{rollouts.num_steps} per environment and iteration",
            "frames": f"{rollouts.num_frames} per iteration",
            "updates": f"{rollouts.num_updates} per iteration",
        }
    table = Table(title="Would run", title_justify="left", show_header=False)
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _agents(agents: tuple[AgentPlan, ...]) -> RenderableType:
    parts = list(dict.fromkeys(part for agent in agents for part in agent.num_weights))
    table = Table(title="Agents and their numbers of weights", title_justify="left")
    table.add_column("agent")
    for part in (*parts, "all parts"):
        table.add_column(part, justify="right")
    for agent in agents:
        name = f"{agent.name} (random)" if agent.is_random else agent.name
        counts = [agent.num_weights.get(part, 0) for part in parts]
        table.add_row(name, *(f"{count:,}" for count in (*counts, agent.total_num_weights)))
    return table
