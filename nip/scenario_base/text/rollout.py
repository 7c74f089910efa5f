"""Records of dialogues: the messages, decisions and rewards of one rollout."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from nip.protocols.rules import Decision

RolloutStatus = Literal["unfinished", "completed", "failed"]


@dataclass(frozen=True, slots=True)
class MessageRecord:
    """Message of one agent in one round."""

    round: int
    """Index of the round, from 0; in the record it is counted from 1."""

    agent: str
    """Name of the agent."""

    text: str
    """Unmodified answer of the model; empty if none was valid."""

    channel_texts: dict[str, str]
    """Text sent to each channel on which the agent writes in this round."""

    decision: int = int(Decision.CONTINUE)
    """Decision of the agent: 0 (reject), 1 (accept) or 2 (none)."""

    decision_value: float | None = None
    """Position of the decision on its scale, -1 (reject) to 1 (accept); None without one."""

    decision_text: str = ""
    """The decision as the agent worded it."""

    num_retries: int = 0
    """Number of retries because of invalid answers."""

    problems: tuple[str, ...] = ()
    """Why each invalid answer was invalid."""

    is_invalid: bool = False
    """Whether all retries failed, so that the message is empty."""

    is_cut: bool = False
    """Whether the last attempt was cut off at the token limit."""

    prompt_tokens: int = 0
    """Number of prompt tokens, over all attempts."""

    completion_tokens: int = 0
    """Number of completion tokens, over all attempts."""

    model: str = ""
    """Name of the model in the response of its service."""

    reasoning: str = ""
    """Reasoning of the model before its answer, which no agent reads and none learns from."""

    kept_keys: tuple[str, ...] = ()
    """Keys in the journal of paid answers that were invalid, which stay there."""

    def to_record(self) -> dict[str, Any]:
        """Convert the message to JSON types, without fields that have their defaults."""
        record: dict[str, Any] = {
            "round": self.round + 1,
            "agent": self.agent,
            "text": self.text,
            "channel_texts": self.channel_texts,
        }
        for name, default in _MESSAGE_DEFAULTS.items():
            value = getattr(self, name)
            if value != default:
                record[name] = list(value) if isinstance(value, tuple) else value
        return record

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "MessageRecord":
        """Restore an object from its ``to_record`` form."""
        tuples = {name: tuple(record.get(name, ())) for name in ("problems", "kept_keys")}
        return cls(**{**record, **tuples, "round": record["round"] - 1})


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
    "reasoning": "",
    "kept_keys": (),
}


@dataclass(frozen=True, slots=True)
class RolloutPlan:
    """Which dialogue to play."""

    position: int
    """Position in the data order of its stage."""

    datapoint: int
    """Index of the datapoint in its split."""

    copy: int = 0
    """Index of the dialogue among those about the same datapoint in one stage, from 0."""

    seed: int = 0
    """Seed of the dialogue, in [0, 2^31)."""

    key_prefix: str = ""
    """Prefix of its journal keys, ``<phase>/<iteration>/<position>``; empty for no journal."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """A dialogue, without the question and the solution, which are in the datapoint."""

    position: int
    """Position in the data order of its stage."""

    datapoint: int
    """Index of the datapoint in its split."""

    datapoint_id: str
    """Id of the datapoint."""

    copy: int
    """Index of the dialogue among those about the same datapoint in one stage."""

    seed: int
    """Seed of the dialogue."""

    y: int
    """Label: 1 if the solution is right, 0 if it is wrong."""

    prover_stance: int
    """Decision for which a prover with a randomised stance argues."""

    status: RolloutStatus = "unfinished"
    """Whether the dialogue is complete. Failed dialogues are left out of all metrics."""

    messages: tuple[MessageRecord, ...] = ()
    """All messages, ordered by round and agent."""

    rewards: tuple[tuple[float, ...], ...] = ()
    """Rewards, ``rewards[round][agent]``, with the agents in the protocol's order."""

    verdict: int = int(Decision.CONTINUE)
    """Decision that ended the dialogue: 0 (reject), 1 (accept) or 2 (none)."""

    verdict_value: float | None = None
    """Position of the verdict on its scale, from -1 to 1; None without a verdict."""

    is_terminated: bool = False
    """Whether the last round was reached without a decision."""

    error: str = ""
    """Class name of the error that ended a failed dialogue."""

    error_message: str = ""
    """Message of that error."""

    warnings: tuple[str, ...] = field(default=())
    """Problems that did not end the dialogue."""

    branch: tuple[int, ...] = ()
    """Index of the response taken at each round of a response tree; empty outside a tree."""

    @property
    def num_rounds(self) -> int:
        """Number of completed rounds."""
        return len(self.rewards)

    @property
    def is_failed(self) -> bool:
        """Whether an error ended the dialogue."""
        return self.status == "failed"

    @property
    def has_invalid_message(self) -> bool:
        """Whether a message is empty because no answer of its agent was valid."""
        return any(message.is_invalid for message in self.messages)

    @property
    def kept_keys(self) -> tuple[str, ...]:
        """Keys in the journal of paid answers that no message contains, because of their form."""
        return tuple(key for message in self.messages for key in message.kept_keys)

    def total_reward(self, agent_index: int) -> float:
        """Return the reward of an agent, by its index in the protocol, summed over rounds."""
        return float(sum(row[agent_index] for row in self.rewards))

    def last_message(self, agent: str) -> MessageRecord | None:
        """Return the last message of an agent that is not empty, or None."""
        own = (each for each in reversed(self.messages) if each.agent == agent and each.text)
        return next(own, None)

    def to_record(self) -> dict[str, Any]:
        """Convert the dialogue to JSON types."""
        record = {name: getattr(self, name) for name in _ROLLOUT_SCALARS}
        record["messages"] = [message.to_record() for message in self.messages]
        record["rewards"] = [list(row) for row in self.rewards]
        record["warnings"] = list(self.warnings)
        if self.branch:
            record["branch"] = list(self.branch)
        return record

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Rollout":
        """Restore an object from its ``to_record`` form."""
        return cls(
            **{name: record[name] for name in _ROLLOUT_SCALARS},
            messages=tuple(map(MessageRecord.from_record, record["messages"])),
            rewards=tuple(map(tuple, record["rewards"])),
            warnings=tuple(record["warnings"]),
            branch=tuple(record.get("branch", ())),
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
