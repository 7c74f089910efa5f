"""Names of the models of the mock API."""

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
"""Base models in the list of models. Requests may use any other name as well."""


def is_fine_tuned(name: str) -> bool:
    """Tell whether a name is that of a fine-tuned model."""
    return name.startswith(FINE_TUNED_PREFIX)


def base_of(name: str) -> str:
    """Return the base model of a fine-tuned model; the name of a base model is returned as is."""
    return name.split(":")[1] if is_fine_tuned(name) and name.count(":") else name


def identity_of(name: str) -> str:
    """Return what a model is, whatever its owner and its client have called it.

    A fine-tuned model is known by its base model and by the hash of its training. Nothing that is
    drawn at random may depend on the rest of its name, in which clients put identifiers of runs.
    """
    return (
        f"{FINE_TUNED_PREFIX}{base_of(name)}:{name.rpartition(':')[2]}"
        if is_fine_tuned(name)
        else name
    )


def fine_tuned_name(request: dict[str, Any], content_sha256: str, organization: str) -> str:
    """Return the name of the model, owned by an organization, that a job creates.

    Equal jobs create models of equal names, so that a repeated experiment gets the same names. The
    metadata of the job is not part of the name, and the suffix is not part of its hash: they
    identify the client, not the model.
    """
    parts = [identity_of(request["model"]), content_sha256, request["method"], request["seed"]]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    suffix = request["suffix"] or ""
    return f"{FINE_TUNED_PREFIX}{base_of(request['model'])}:{organization}:{suffix}:{digest[:8]}"
