"""All agents of an experiment in one module, each evaluated for the rows that need it."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from tensordict import TensorDictBase
from torch import Tensor, nn

from nip.scenario_base.actions import ActionMask, Choice, Noise, choose, draw_noise, log_prob
from nip.scenario_base.agent import Agent, AgentOutput
from nip.scenario_base.agents import NUM_DECISIONS
from nip.scenario_base.row_selection import RowSelection

HIDDEN_KEYS = frozenset({"y", "datapoint_id", "decided", "opponent", "run"})
"""Observation keys that are hidden from all agents."""

NESTED_KEYS = frozenset({"agents", "next"})
"""Keys of a batch that are not observations."""


def readable(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the observations that agents may read."""
    return {name: value for name, value in state.items() if name not in HIDDEN_KEYS}


class CombinedAgents(nn.Module):
    """The agents of an experiment, in the protocol's order."""

    fixed_shapes: bool = False
    """Whether agents are computed on all rows, with a mask of those that count."""

    def __init__(self, agents: Mapping[str, Agent], message_key: str) -> None:
        super().__init__()
        self.agents = nn.ModuleDict(agents)
        self.message_key = message_key
        context = next(iter(agents.values())).context
        self._num_channels = context.protocol.num_channels
        self._message_size = context.message_size
        self._num_symbols = context.num_symbols
        self._linear_symbols = context.linear_symbols

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the agents, in order."""
        return tuple(self.agents.keys())

    def __iter__(self) -> Iterator[tuple[int, str, Agent]]:
        """Yield index, name and agent."""
        for index, (name, agent) in enumerate(self.agents.items()):
            assert isinstance(agent, Agent)
            yield index, name, agent

    def select(self, mask: Tensor) -> RowSelection:
        """Return how an agent is computed for the rows in which a mask, (batch,), is true."""
        return RowSelection.of(mask, fixed_shapes=self.fixed_shapes)

    def select_for_learning(self, known: Tensor) -> RowSelection:
        """Return how an agent is computed in a minibatch, given the rows in which it counts."""
        return self.select(known)

    def draw_noise(self, num_rows: int, generator: torch.Generator) -> list[Noise]:
        """Draw what the actions of each agent in some rows depend on besides its logits."""
        device = generator.device
        shape = (num_rows, self._num_channels, self._message_size)
        return [
            draw_noise(
                torch.empty(*shape, self._num_symbols, device=device),
                torch.empty(num_rows, NUM_DECISIONS, device=device)
                if agent.context.is_decider
                else None,
                None
                if self._linear_symbols is None
                else torch.empty(*shape, self._linear_symbols, device=device),
                generator,
            )
            for _, _, agent in self
        ]

    def act(
        self,
        state: Mapping[str, Tensor],
        active: Tensor,
        decides: Tensor,
        needs_value: Tensor | None,
        generator: torch.Generator | Sequence[Noise],
        *,
        greedy: bool = False,
    ) -> dict[str, Tensor]:
        """Choose the actions of every agent in a batch of states.

        An agent is evaluated in the rows where it is active or its value is needed. In all other
        rows its decision is to continue and its other entries are 0; they are never read.

        Parameters
        ----------
        active : Tensor
            On which channels each agent writes, (batch, agent, channel).
        decides : Tensor
            Whether the decision of each agent takes effect, (batch, agent).
        needs_value : Tensor, optional
            Where the value of an inactive agent is needed, (batch, agent); None if no values are
            needed, not even those of active agents.
        generator : torch.Generator or sequence of Noise
            Source of random numbers on the device of the states, or what ``draw_noise`` returned.
        greedy : bool
            Whether agents that are not random take their most probable actions.

        Returns
        -------
        actions : dict of str to Tensor
            Actions by their keys under ``agents`` in a batch, each (batch, agent, ...).
        """
        result = self._blank(active)
        wanted = active.any(-1)
        if needs_value is not None:
            wanted = wanted | needs_value
        for index, _, agent in self:
            rows = self.select(wanted[:, index])
            if rows.is_empty:
                continue
            turn = ActionMask(rows.take(active[:, index]), rows.take(decides[:, index]))
            output = self._output(agent, state, rows, with_value=needs_value is not None)
            source = generator if isinstance(generator, torch.Generator) else generator[index]
            is_greedy = greedy and not agent.is_random
            choice = self._choose(output, state, rows, source, greedy=is_greedy)
            self._write(result, index, rows, output, choice, log_prob(output, choice, turn))
        return result

    def values(self, state: Mapping[str, Tensor], needed: Tensor) -> Tensor:
        """Return the value of each agent, (batch, agent), and 0 where it is not needed."""
        result = torch.zeros(needed.shape, device=needed.device)
        observation = readable(state)
        for index, _, agent in self:
            rows = self.select(needed[:, index])
            if not rows.is_empty:
                rows.write(result, index, agent.value(rows.observed(observation)))
        return result

    def evaluate(
        self, agent_index: int, batch: TensorDictBase, rows: RowSelection, *, with_value: bool
    ) -> tuple[AgentOutput, Choice, ActionMask]:
        """Evaluate one agent, with its present weights, on frames that it has played.

        Parameters
        ----------
        batch : TensorDictBase
            Frames with one batch dimension, as the collector made them.
        rows : RowSelection
            The frames to evaluate, as ``select`` returns them.

        Returns
        -------
        output : AgentOutput
            Logits and values of the agent.
        choice : Choice
            The actions that it chose when the frames were collected.
        turn : ActionMask
            Which of these actions took effect.
        """
        agent = self.agents[self.names[agent_index]]
        observed = {name: each for name, each in batch.items() if name not in NESTED_KEYS}
        observation = readable(observed)
        played = rows.take_each(self._played(agent_index, batch))
        if len(played["decides"]) == 0:
            output = self._no_output(agent_index, batch.get(("agents", "active")))
        else:
            output = agent(rows.observed(observation), with_value=with_value)
        choice = Choice(played[self.message_key], played["decision"], played.get("linear"))
        return output, choice, ActionMask(played["active"], played["decides"])

    def _played(self, agent_index: int, batch: TensorDictBase) -> dict[str, Tensor]:
        """Return the actions of an agent in all frames, and which of them took effect."""
        keys = {name: name for name in (self.message_key, "decision", "active", "decides")}
        if self._linear_symbols is not None:
            keys["linear"] = "linear_message_selected"
        dim, nested = batch.batch_dims, batch.get("agents")
        return {name: nested.get(key).select(dim, agent_index) for name, key in keys.items()}

    def _output(
        self, agent: Agent, state: Mapping[str, Tensor], rows: RowSelection, *, with_value: bool
    ) -> AgentOutput:
        """Evaluate an agent in the given rows of a batch of states."""
        return agent(rows.observed(readable(state)), with_value=with_value)

    def _choose(
        self,
        output: AgentOutput,
        state: Mapping[str, Tensor],
        rows: RowSelection,
        source: torch.Generator | Noise,
        *,
        greedy: bool,
    ) -> Choice:
        """Choose the actions of an agent from its output in the given rows of a batch of states."""
        return choose(output, source, greedy=greedy)

    def _no_output(self, agent_index: int, like: Tensor) -> AgentOutput:
        """Return the output for zero rows, which batch norm does not accept."""
        blank = {key: value[:, agent_index] for key, value in self._blank(like[:0]).items()}
        return AgentOutput(
            message_logits=blank["main_message_logits"],
            decision_logits=blank["decision_logits"],
            linear_message_logits=blank.get("linear_message_logits"),
            value=blank["value"],
        )

    def _blank(self, active: Tensor) -> dict[str, Tensor]:
        batch, agents = active.shape[:2]
        device = active.device
        symbols = (batch, agents, self._num_channels, self._message_size)
        result = {
            "decision": torch.full((batch, agents), 2, device=device),
            self.message_key: torch.zeros(symbols, dtype=torch.long, device=device),
            "sample_log_prob": torch.zeros(batch, agents, device=device),
            "value": torch.zeros(batch, agents, device=device),
            "main_message_logits": torch.zeros(*symbols, self._num_symbols, device=device),
            "decision_logits": torch.zeros(batch, agents, NUM_DECISIONS, device=device),
        }
        if self._linear_symbols is not None:
            result["linear_message_selected"] = torch.zeros_like(result[self.message_key])
            result["linear_message_logits"] = torch.zeros(
                *symbols, self._linear_symbols, device=device
            )
        return result

    def _write(
        self,
        result: dict[str, Tensor],
        index: int,
        rows: RowSelection,
        output: AgentOutput,
        choice: Choice,
        log_prob_: Tensor,
    ) -> None:
        values = {
            "decision": choice.decision,
            self.message_key: choice.message,
            "linear_message_selected": choice.linear_message,
            "sample_log_prob": log_prob_,
            "value": output.value,
            "main_message_logits": output.message_logits,
            "decision_logits": output.decision_logits,
            "linear_message_logits": output.linear_message_logits,
        }
        for name, value in values.items():
            if value is not None:
                rows.write(result[name], index, value)
