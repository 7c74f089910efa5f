"""What a protocol needs to say about an agent before it can be played in words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

OwnPast = Literal["raw", "by_channel"]

ANONYMOUS_NAME = "Anonymous"
"""What others read in the place of the name of an anonymous agent."""

LAST_TURN = "This is your last message."
"""What the system says to a prover at the start of its last round."""

DECIDE_NOW = "This is your last message. You must decide now."
"""What the system says to the verifier at the start of its last round."""


@dataclass(frozen=True, kw_only=True)
class TextAgentSpec:
    """How one agent of one protocol takes part in a dialogue."""

    shown_name: str
    """The name that the other agents and the readers of transcripts see."""

    headers: Mapping[str, str] = field(default_factory=dict)
    """For an agent that writes on several channels, what marks the message for each of them.

    The agent writes a header in square brackets on a line of its own. It should also read well
    behind the agent's name: with the header "to Expert 1", others see "[Verifier to Expert 1]".
    """

    shuffles_channels: bool = False
    """Whether the episode seed shuffles the order in which the agent reads the channels.

    Otherwise it is the order of the protocol.
    """

    is_anonymous: bool = False
    """Whether others see its messages without its name."""

    last_turn_note: str = LAST_TURN
    """What the system says to the agent at the start of its last round; empty for nothing."""

    own_past: OwnPast = "raw"
    """Whether it reads its own messages as it wrote them, or put together from its channels."""

    stance: int | None = None
    """The decision for which a prover argues, 0 or 1. It must be the one that the protocol pays it
    for, and is stated so that a reader of the spec sees it; None: whatever the protocol says."""

    prompt: str | None = None
    """Template of its system prompt; None: the file ``<protocol>/<agent>.txt`` of the scenario."""
