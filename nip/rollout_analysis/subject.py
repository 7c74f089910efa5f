"""What an analyser sees: one finished dialogue, and the agent that is asked about."""

from dataclasses import dataclass
from functools import cached_property

from nip.protocols.rules import VERIFIER
from nip.run_store import RolloutPhase
from nip.scenario_base.text.datapoint import TextDatapoint
from nip.scenario_base.text.dialogue_rules import DialogueRules
from nip.scenario_base.text.prompt_values import CLAIMS, VERIFIER_STANCE
from nip.scenario_base.text.rollout import MessageRecord, Rollout

NOTHING = "(nothing)"
"""Stands for a message that is empty."""


@dataclass(frozen=True)
class Subject:
    """One agent in one finished dialogue."""

    phase: RolloutPhase
    """``train`` or ``test``."""

    iteration: int
    """The iteration, counted from 0."""

    rollout: Rollout
    """What was said."""

    datapoint: TextDatapoint
    """What it was about."""

    rules: DialogueRules
    """How the agents converse."""

    agent: str
    """The agent that is asked about."""

    @cached_property
    def messages(self) -> tuple[MessageRecord, ...]:
        """What the agent said, in the order of the rounds."""
        return tuple(each for each in self.rollout.messages if each.agent == self.agent)

    @property
    def goal(self) -> str:
        """What the agent is rewarded for, in a sentence."""
        if self.agent == VERIFIER:
            return VERIFIER_STANCE
        if self.rules.protocol.common.shared_reward:
            return "The agent is rewarded if the verifier decides rightly."
        side = self.rules.episode.goal(self.agent, self.datapoint.prover_stance)
        return f"The agent argues that the solution is {CLAIMS[side]}, and is rewarded for that."

    def messages_text(self) -> str:
        """Write what the agent said, message by message."""
        return "\n\n".join(_written(each) for each in self.messages) or NOTHING

    def dialogue_text(self) -> str:
        """Write what everybody said, round by round."""
        return "\n\n".join(map(_written, self.rollout.messages)) or NOTHING


def _written(message: MessageRecord) -> str:
    return f"[Round {message.round + 1}, {message.agent}]\n{message.text.strip() or NOTHING}"
