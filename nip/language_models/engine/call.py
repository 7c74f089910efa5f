"""One question to a language model."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from nip.language_models.chat import ChatMessage, ModelSpec, Sampling


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked, of which model, and on whose behalf."""

    model: ModelSpec
    """The model to ask."""

    messages: Sequence[ChatMessage]
    """The conversation so far."""

    sampling: Sampling
    """How the answer is drawn."""

    agent: str
    """On whose account it goes."""

    key: str = ""
    """Name of the call in the journal, unique in the run; empty: not journalled."""

    sample_index: int = 0
    """Tells several answers to one question apart in the response cache."""


def request_digest(call: Call) -> str:
    """Return a fingerprint of what is asked, whoever asks it and wherever the model is reached.

    The address stays out of it, so that a run can go on after its server has moved.
    """
    sampling = call.sampling
    asked = [
        call.model.provider,
        call.model.model_name,
        [[message["role"], message["content"]] for message in call.messages],
        [sampling.temperature, sampling.top_p, sampling.max_tokens, sampling.seed],
        call.sample_index,
    ]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()
