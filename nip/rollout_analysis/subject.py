"""``Subject``: the dialogue and the agent that a question is about."""

from dataclasses import dataclass
from functools import cached_property

from nip.run_store import RolloutPhase
from nip.scenario_base.text.datapoint import TextDatapoint
from nip.scenario_base.text.dialogue_rules import DialogueRules
from nip.scenario_base.text.quoting import quote
from nip.scenario_base.text.rollout import MessageRecord, Rollout
from nip.scenario_base.text.stances import neutral_stance

NOTHING = "(nothing)"
"""Text of an empty message."""


@dataclass(frozen=True)
class Subject:
    """One agent in one finished dialogue."""

    phase: RolloutPhase
    """``train`` or ``test``."""

    iteration: int
    """The iteration, counted from 1."""

    rollout: Rollout
    """The dialogue."""

    datapoint: TextDatapoint
    """The problem and the solution."""

    rules: DialogueRules
    """Rules of the dialogue."""

    agent: str
    """The agent that the question is about."""

    @property
    def place(self) -> tuple[str, int, int, str]:
        """Phase, iteration, position and agent."""
        return (self.phase, self.iteration, self.rollout.position, self.agent)

    @cached_property
    def messages(self) -> tuple[MessageRecord, ...]:
        """Messages of the agent, in the order of rounds."""
        return tuple(each for each in self.rollout.messages if each.agent == self.agent)

    @property
    def goal(self) -> str:
        """A sentence that states what the agent is rewarded for."""
        return neutral_stance(self.rules, self.agent, self.datapoint.prover_stance)

    def messages_text(self) -> str:
        """Format the messages of the agent."""
        return "\n\n".join(_format(each) for each in self.messages) or NOTHING

    def dialogue_text(self) -> str:
        """Format all messages of the dialogue."""
        return "\n\n".join(map(_format, self.rollout.messages)) or NOTHING


def _format(message: MessageRecord) -> str:
    text = message.text.strip()
    return f"[Round {message.round + 1}, {message.agent}]\n{quote(text) if text else NOTHING}"
