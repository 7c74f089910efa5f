"""What models are called."""

import hashlib
import json
from typing import Any

FINE_TUNED_PREFIX = "ft:"

BASE_MODELS = (
    "gpt-4.1-2025-04-14",
    "gpt-4.1-mini-2025-04-14",
    "gpt-4.1-nano-2025-04-14",
    "gpt-4o-2024-08-06",
    "gpt-4o-mini-2024-07-18",
)
"""Those that are listed. A request may name any other: all base models answer alike."""


def is_fine_tuned(name: str) -> bool:
    """Tell whether a name belongs to a model that fine-tuning made."""
    return name.startswith(FINE_TUNED_PREFIX)


def base_of(name: str) -> str:
    """Return the base model from which a model was made, itself if it is one."""
    return name.split(":")[1] if is_fine_tuned(name) and name.count(":") else name


def fine_tuned_name(request: dict[str, Any], content_sha256: str, organization: str) -> str:
    """Name the model that a job makes.

    Equal jobs make models of equal names, so that a study that is repeated finds the same. What a
    client notes in the metadata says who asked for the model, not what is in it, and has no part.

    Parameters
    ----------
    request : dict[str, Any]
        The job as it was asked for, with its hyper-parameters.
    content_sha256 : str
        Fingerprint of the training file.
    organization : str
        Whose model it is.
    """
    parts = [request["model"], content_sha256, request["method"], request["seed"]]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    suffix = request["suffix"] or ""
    return f"{FINE_TUNED_PREFIX}{base_of(request['model'])}:{organization}:{suffix}:{digest[:8]}"
