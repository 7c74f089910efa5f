"""One call of a language model, and its digest."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from nip.language_models.chat import ChatMessage, ModelSpec, Sampling

_ENCODER = json.JSONEncoder(sort_keys=True)


@dataclass(frozen=True, slots=True)
class Call:
    """Model, messages and sampling parameters of a call, and the agent that pays for it."""

    model: ModelSpec
    """Spec of the model."""

    messages: Sequence[ChatMessage]
    """The conversation so far."""

    sampling: Sampling
    """Sampling parameters."""

    agent: str
    """Agent to which usage and cost are attributed."""

    key: str = ""
    """Key of the call in the journal, unique in the run; empty: not journalled."""

    dialogue: str = ""
    """Name of the dialogue that the call belongs to; empty: none. It changes no result."""

    sample_index: int = 0
    """Distinguishes several samples for the same messages in the response cache."""


def request_digest(call: Call) -> str:
    """Return a SHA-256 of model, messages and sampling parameters, in hexadecimal digits.

    Neither the agent nor the base URL is part of it, so that a run can be resumed after its server
    has moved. Parameters that were added later are part of it only if they are set, so that runs of
    earlier versions can be resumed.
    """
    sampling, extras = call.sampling, call.sampling.extras
    content = [
        call.model.provider,
        call.model.model_name,
        [[message["role"], message["content"]] for message in call.messages],
        [sampling.temperature, sampling.top_p, sampling.max_tokens, sampling.seed],
        call.sample_index,
        *([extras] if extras else []),
    ]
    return hashlib.sha256(_ENCODER.encode(content).encode()).hexdigest()
