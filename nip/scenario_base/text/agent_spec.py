"""How the agents of a protocol take part in dialogues: shown names, headers and notes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

OwnPast = Literal["raw", "by_channel"]
TextOfDatapoint = Literal["question", "solution"]

ANONYMOUS_NAME = "Anonymous"
"""Name that other agents read instead of that of an anonymous agent."""

SYSTEM_NAME = "System"
"""Name in the label of notes that come from no agent."""

LAST_TURN = "This is your last message."
"""System note for a prover in its last round."""

DECIDE_NOW = "This is your last message. You must decide now."
"""System note for the verifier in its last round."""


@dataclass(frozen=True, kw_only=True)
class TextAgentSpec:
    """How one agent of a protocol takes part in a dialogue."""

    shown_name: str
    """Name shown to the other agents and in transcripts: one line without brackets, different for
    each agent, and neither ``System`` nor ``Anonymous``."""

    headers: Mapping[str, str] = field(default_factory=dict)
    """Header by channel, for an agent that writes on several channels in one round.

    The agent writes the header in square brackets on a separate line. Other agents read it after
    the agent's name: with the header "to Expert 1" they see "[Verifier to Expert 1]".
    """

    shuffles_channels: bool = False
    """Whether the agent reads the channels in an order drawn from the episode seed, instead of the
    order of the protocol."""

    is_anonymous: bool = False
    """Whether its messages are shown without its name."""

    last_turn_note: str = LAST_TURN
    """System note for the agent in its last round; empty for none."""

    own_past: OwnPast = "raw"
    """How it reads its own messages: unmodified (``raw``) or joined from its channels."""

    stance: int | None = None
    """Decision for which the agent argues, 0 or 1, against which its rewards must not be; None to
    take it from its rewards, by which it may have no side."""

    prompt: str | None = None
    """Template of its system prompt; None to read the scenario's ``<protocol>/<agent>.txt``."""

    sees: tuple[TextOfDatapoint, ...] = ("question", "solution")
    """Texts of the datapoint that its system prompt contains. All others must not be in it."""
