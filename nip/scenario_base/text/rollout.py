"""One dialogue from its first message to its rewards, in a form that can be kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from nip.protocols.rules import Decision

RolloutStatus = Literal["unfinished", "completed", "failed"]


@dataclass(frozen=True, slots=True)
class MessageRecord:
    """What one agent said in one round."""

    round: int
    """The round, counted from 0."""

    agent: str
    """Who said it."""

    text: str
    """The answer of the model as it came; empty if none was valid."""

    channel_texts: dict[str, str]
    """What reaches each channel on which the agent writes in this round."""

    decision: int = int(Decision.CONTINUE)
    """What the agent decided: 0 (reject), 1 (accept) or 2 (nothing)."""

    decision_value: float | None = None
    """Place of the decision on its scale, from -1 (reject) to 1 (accept); None without one."""

    decision_text: str = ""
    """The decision in the words of the agent."""

    num_retries: int = 0
    """How often the agent was asked again because its answer was invalid."""

    problems: tuple[str, ...] = ()
    """What was wrong with each invalid answer."""

    is_invalid: bool = False
    """Whether the retries were used up, so that the message was left empty."""

    is_cut: bool = False
    """Whether the answer was cut at the token limit; of several attempts, the last one."""

    prompt_tokens: int = 0
    """Tokens read, over all attempts."""

    completion_tokens: int = 0
    """Tokens written, over all attempts."""

    model: str = ""
    """The model that answered, as its service names it."""

    def to_record(self) -> dict[str, Any]:
        """Write the message as JSON can hold it; what has its default is left out."""
        record: dict[str, Any] = {
            "round": self.round,
            "agent": self.agent,
            "text": self.text,
            "channel_texts": self.channel_texts,
        }
        for name, default in _MESSAGE_DEFAULTS.items():
            value = getattr(self, name)
            if value != default:
                record[name] = list(value) if name == "problems" else value
        return record

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "MessageRecord":
        """Read back what ``to_record`` wrote."""
        values = {**record, "problems": tuple(record.get("problems", ()))}
        return cls(**values)


_MESSAGE_DEFAULTS: dict[str, Any] = {
    "decision": int(Decision.CONTINUE),
    "decision_value": None,
    "decision_text": "",
    "num_retries": 0,
    "problems": (),
    "is_invalid": False,
    "is_cut": False,
    "prompt_tokens": 0,
    "completion_tokens": 0,
    "model": "",
}


@dataclass(frozen=True, slots=True)
class RolloutPlan:
    """Which dialogue is to be played."""

    position: int
    """Place in the order of its stage."""

    datapoint: int
    """Row of the datapoint in its split."""

    copy: int = 0
    """Tells dialogues about the same datapoint in one stage apart, counted from 0."""

    seed: int = 0
    """All randomness of the dialogue, in [0, 2^31)."""

    key_prefix: str = ""
    """Prefix of its journal keys: ``<phase>/<iteration>/<position>``; empty: no journal."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """A dialogue. The question and the solution are not in it: the datapoint has them."""

    position: int
    """Place in the order of its stage."""

    datapoint: int
    """Row of the datapoint in its split."""

    datapoint_id: str
    """Name of the datapoint."""

    copy: int
    """Tells dialogues about the same datapoint in one stage apart."""

    seed: int
    """All randomness of the dialogue."""

    y: int
    """The label: 1 if the solution is right."""

    prover_stance: int
    """The decision that the datapoint lays down for a prover with a randomised stance."""

    status: RolloutStatus = "unfinished"
    """Whether it came to its end. A failed one says nothing about the agents."""

    messages: tuple[MessageRecord, ...] = ()
    """All messages by round, in each round in the order of the agents."""

    rewards: tuple[tuple[float, ...], ...] = ()
    """What each agent earned in each round: ``rewards[round][agent]``, agents as in the protocol.
    """

    verdict: int = int(Decision.CONTINUE)
    """The decision that counted: 0 (reject), 1 (accept), or 2 if there was none."""

    verdict_value: float | None = None
    """Place of the verdict on its scale, from -1 to 1; None without a verdict."""

    is_terminated: bool = False
    """Whether the rounds ran out before a decision."""

    error: str = ""
    """Name of the class of the error that ended a failed one."""

    error_message: str = ""
    """Its message."""

    warnings: tuple[str, ...] = field(default=())
    """What else went wrong without ending it."""

    @property
    def num_rounds(self) -> int:
        """Number of rounds that were played to their end."""
        return len(self.rewards)

    @property
    def is_failed(self) -> bool:
        """Whether an error ended it."""
        return self.status == "failed"

    def total_reward(self, agent_index: int) -> float:
        """Return what an agent, by its place in the protocol, earned in all rounds."""
        return float(sum(row[agent_index] for row in self.rewards))

    def last_message(self, agent: str) -> MessageRecord | None:
        """Return the last message of an agent that is not empty; None if there is none."""
        own = (each for each in reversed(self.messages) if each.agent == agent and each.text)
        return next(own, None)

    def to_record(self) -> dict[str, Any]:
        """Write the dialogue as JSON can hold it."""
        record = {name: getattr(self, name) for name in _ROLLOUT_SCALARS}
        record["messages"] = [message.to_record() for message in self.messages]
        record["rewards"] = [list(row) for row in self.rewards]
        record["warnings"] = list(self.warnings)
        return record

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Rollout":
        """Read back what ``to_record`` wrote."""
        return cls(
            **{name: record[name] for name in _ROLLOUT_SCALARS},
            messages=tuple(map(MessageRecord.from_record, record["messages"])),
            rewards=tuple(map(tuple, record["rewards"])),
            warnings=tuple(record["warnings"]),
        )


_ROLLOUT_SCALARS = (
    "position",
    "datapoint",
    "datapoint_id",
    "copy",
    "seed",
    "y",
    "prover_stance",
    "status",
    "verdict",
    "verdict_value",
    "is_terminated",
    "error",
    "error_message",
)
