"""All agents of an experiment in one module, each evaluated only in the rows that need it."""

from collections.abc import Iterator, Mapping

import torch
from tensordict import TensorDictBase
from torch import Tensor, nn

from nip.scenario_base.actions import ActionMask, Choice, choose, log_prob
from nip.scenario_base.agent import Agent, AgentOutput
from nip.scenario_base.agents import NUM_DECISIONS

HIDDEN_KEYS = frozenset({"y", "datapoint_id", "decided", "opponent"})
"""Observation keys that are hidden from all agents."""

NESTED_KEYS = frozenset({"agents", "next"})
"""Keys of a batch that are not observations."""


def readable(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the observations that agents may read."""
    return {name: value for name, value in state.items() if name not in HIDDEN_KEYS}


def rows_where(mask: Tensor) -> Tensor | None:
    """Return the indices of the rows in which a mask is true, or None for all rows.

    The other rows are left out on every device, although counting them synchronises an accelerator
    with the host: batch norm must not see frames in which an agent's actions have no effect.
    """
    rows = mask.nonzero().squeeze(-1)
    return None if len(rows) == len(mask) else rows


def take_rows(tensors: Mapping[str, Tensor], rows: Tensor | None) -> dict[str, Tensor]:
    """Return the given rows of each tensor, or all where ``rows`` is None."""
    if rows is None:
        return dict(tensors)
    return {name: value.index_select(0, rows) for name, value in tensors.items()}


class CombinedAgents(nn.Module):
    """The agents of an experiment, in the protocol's order."""

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

    def act(
        self,
        state: Mapping[str, Tensor],
        active: Tensor,
        decides: Tensor,
        needs_value: Tensor | None,
        generator: torch.Generator,
        *,
        greedy: bool = False,
    ) -> dict[str, Tensor]:
        """Choose the actions of every agent in a batch of states.

        An agent is evaluated only in the rows where it is active or its value is needed. In all
        other rows its decision is to continue and its other entries are 0; they are never read.

        Parameters
        ----------
        active : Tensor
            On which channels each agent writes, (batch, agent, channel).
        decides : Tensor
            Whether the decision of each agent takes effect, (batch, agent).
        needs_value : Tensor, optional
            Where the value of an inactive agent is needed, (batch, agent); None if no values are
            needed, not even those of active agents.

        Returns
        -------
        actions : dict of str to Tensor
            Actions by their keys under ``agents`` in a batch, each (batch, agent, ...).
        """
        result = self._blank(active)
        observation = readable(state)
        wanted = active.any(-1)
        if needs_value is not None:
            wanted = wanted | needs_value
        for index, _, agent in self:
            rows = rows_where(wanted[:, index])
            if rows is not None and len(rows) == 0:
                continue
            turn = ActionMask(
                **take_rows({"active": active[:, index], "decides": decides[:, index]}, rows)
            )
            output = agent(take_rows(observation, rows), with_value=needs_value is not None)
            choice = choose(output, generator, greedy=greedy and not agent.is_random)
            self._write(result, index, rows, output, choice, log_prob(output, choice, turn))
        return result

    def values(self, state: Mapping[str, Tensor], needed: Tensor) -> Tensor:
        """Return the value of each agent, (batch, agent), and 0 where it is not needed."""
        result = torch.zeros(needed.shape, device=needed.device)
        observation = readable(state)
        for index, _, agent in self:
            rows = rows_where(needed[:, index])
            if rows is not None and len(rows) == 0:
                continue
            value = agent.value(take_rows(observation, rows))
            result[slice(None) if rows is None else rows, index] = value
        return result

    def evaluate(
        self, agent_index: int, batch: TensorDictBase, rows: Tensor | None, *, with_value: bool
    ) -> tuple[AgentOutput, Choice, ActionMask]:
        """Evaluate one agent, with its present weights, on frames that it has played.

        Parameters
        ----------
        batch : TensorDictBase
            Frames with one batch dimension, as the collector made them.
        rows : Tensor or None
            Indices of the frames to evaluate, (row,); None for all.

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
        observed = {name: batch.get(name) for name in batch.keys() if name not in NESTED_KEYS}
        observation = readable(observed)
        played = {
            name: batch.get(("agents", name))[:, agent_index]
            for name in (self.message_key, "decision", "active", "decides")
        }
        if self._linear_symbols is not None:
            played["linear"] = batch.get(("agents", "linear_message_selected"))[:, agent_index]
        played = take_rows(played, rows)
        if len(played["decides"]) == 0:
            output = self._no_output(agent_index, batch.get(("agents", "active")))
        else:
            output = agent(take_rows(observation, rows), with_value=with_value)
        choice = Choice(played[self.message_key], played["decision"], played.get("linear"))
        return output, choice, ActionMask(played["active"], played["decides"])

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
        rows: Tensor | None,
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
        where = slice(None) if rows is None else rows
        for name, value in values.items():
            if value is not None:
                result[name][where, index] = value
