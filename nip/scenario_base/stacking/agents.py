"""The agents of several runs in one module."""

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from tensordict import TensorDictBase
from torch import Tensor

from nip.scenario_base.actions import ActionMask, Choice, Noise, choose
from nip.scenario_base.agent import Agent, AgentOutput
from nip.scenario_base.combined_agents import NESTED_KEYS, CombinedAgents, readable
from nip.scenario_base.row_selection import RowSelection
from nip.scenario_base.stacking.networks import stack_modules

RUN_KEY = "run"
"""Key of a state for the index of the run that an episode belongs to, ascending over the rows."""


class StackedAgents(CombinedAgents):
    """The agents of several runs, each with its weights of all runs.

    States and batches have the rows of all runs. The noise of actions is drawn from one generator
    for each run, as the run itself would.

    Parameters
    ----------
    of_runs : sequence of CombinedAgents
        The agents of each run.

    Raises
    ------
    StackingError
        If a layer has no stacked form.
    """

    def __init__(self, of_runs: Sequence[CombinedAgents]) -> None:
        first = of_runs[0]
        agents = {
            name: stack_modules([agents.agents[name] for agents in of_runs]) for name in first.names
        }
        super().__init__(agents, first.message_key)  # type: ignore[arg-type]
        self.num_runs = len(of_runs)

    def act_together(
        self,
        state: Mapping[str, Tensor],
        active: Tensor,
        decides: Tensor,
        needs_value: Tensor | None,
        generators: Sequence[torch.Generator],
        *,
        greedy: bool,
    ) -> dict[str, Tensor]:
        """Choose the actions of every agent in every run, as ``act`` does in one."""
        self._generators = generators
        return self.act(state, active, decides, needs_value, generators[0], greedy=greedy)

    def values(self, state: Mapping[str, Tensor], needed: Tensor) -> Tensor:
        """Return the value of each agent, (batch, agent), and 0 where it is not needed."""
        result = torch.zeros(needed.shape, device=needed.device)
        for index, _, agent in self:
            rows = self.select(needed[:, index])
            if not rows.is_empty:
                rows.write(result, index, self._output(agent, state, rows, with_value=True).value)
        return result

    def select_for_learning(self, known: Tensor) -> RowSelection:
        """Return that of all rows: frames that do not count are masked.

        The runs then have equally many rows, whichever of them count.
        """
        return RowSelection()

    def evaluate(
        self, agent_index: int, batch: TensorDictBase, rows: RowSelection, *, with_value: bool
    ) -> tuple[AgentOutput, Choice, ActionMask]:
        """Evaluate one agent of all runs on all frames, (run, frame), that it has played.

        See ``CombinedAgents.evaluate``; output, choice and turn have the two dimensions of the
        batch.
        """
        assert rows.indices is None, "frames that do not count are masked"
        agent = self.agents[self.names[agent_index]]
        observed = {name: each for name, each in batch.items() if name not in NESTED_KEYS}
        flat = {name: value.flatten(0, 1) for name, value in readable(observed).items()}
        output: AgentOutput = agent(flat, with_value=with_value)
        of_runs = output.map(lambda value: value.unflatten(0, (self.num_runs, -1)))
        played = self._played(agent_index, batch)
        choice = Choice(played[self.message_key], played["decision"], played.get("linear"))
        return of_runs, choice, ActionMask(played["active"], played["decides"])

    def _output(
        self, agent: Agent, state: Mapping[str, Tensor], rows: RowSelection, *, with_value: bool
    ) -> AgentOutput:
        """Evaluate an agent of all runs in any rows, by filling up the runs to equally many."""
        counts = self._rows_per_run(state, rows)
        if len(set(counts)) == 1:
            return super()._output(agent, state, rows, with_value=with_value)
        longest, start = max(counts), 0
        filled, real = [], []
        for run, count in enumerate(counts):
            # Repetitions of any row will do; they are left out of the output.
            own = torch.arange(longest).clamp_max(max(count - 1, 0)) + start
            filled.append(own.clamp_max(sum(counts) - 1))
            real.append(torch.arange(count) + run * longest)
            start += count
        index = torch.cat(filled).to(state[RUN_KEY].device)
        chosen = RowSelection(index if rows.indices is None else rows.indices[index])
        output: AgentOutput = agent(chosen.observed(readable(state)), with_value=with_value)
        kept = torch.cat(real).to(index.device)
        return output.map(lambda value: value.index_select(0, kept))

    def _choose(
        self,
        output: AgentOutput,
        state: Mapping[str, Tensor],
        rows: RowSelection,
        source: torch.Generator | Noise,
        *,
        greedy: bool,
    ) -> Choice:
        """Choose the actions in each run with its own generator."""
        choices, start = [], 0
        counts = self._rows_per_run(state, rows)
        for generator, count in zip(self._generators, counts, strict=True):
            own = output.map(partial(_narrowed, start=start, count=count))
            choices.append(choose(own, generator, greedy=greedy))
            start += count
        return Choice(
            message=torch.cat([each.message for each in choices]),
            decision=_joined([each.decision for each in choices]),
            linear_message=_joined([each.linear_message for each in choices]),
        )

    def _rows_per_run(self, state: Mapping[str, Tensor], rows: RowSelection) -> list[int]:
        return torch.bincount(rows.take(state[RUN_KEY]), minlength=self.num_runs).tolist()


def _narrowed(values: Tensor, start: int, count: int) -> Tensor:
    return values.narrow(0, start, count)


def _joined(parts: Sequence[Tensor | None]) -> Tensor | None:
    present = [part for part in parts if part is not None]
    return torch.cat(present) if present else None
