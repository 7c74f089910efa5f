"""What clients ask of a fine-tuning job, read and checked."""

from typing import Any

from nip.language_models.server.errors import ApiError, invalid

MAX_SUFFIX = 64
MAX_METADATA = 16
MAX_METADATA_KEY = 64
MAX_METADATA_VALUE = 512
METHODS = ("supervised", "dpo")
DEFAULTS: dict[str, Any] = {
    "n_epochs": 3,
    "batch_size": 1,
    "learning_rate_multiplier": 1.0,
    "beta": 0.1,
}
"""What is taken where a client leaves the choice to the service."""


def read_job_request(body: dict[str, Any]) -> dict[str, Any]:
    """Check a request for a job, and fill in what it leaves open.

    Returns
    -------
    request : dict[str, Any]
        With ``model``, ``training_file``, ``validation_file``, ``suffix``, ``seed``, ``metadata``
        and ``method``, whose hyper-parameters are all given.

    Raises
    ------
    ApiError
        If something is missing or out of range.
    """
    for name in ("model", "training_file"):
        if not isinstance(body.get(name), str) or not body[name]:
            raise ApiError(400, f"You must provide a {name} parameter.", param=name)
    suffix = body.get("suffix")
    if suffix is not None and (not isinstance(suffix, str) or len(suffix) > MAX_SUFFIX):
        raise invalid("suffix", f"suffix must be a text of at most {MAX_SUFFIX} characters.")
    seed = body.get("seed")
    if seed is not None and (type(seed) is not int or not 0 <= seed < 2**31):
        raise invalid("seed", f"seed must be a whole number from 0 to 2^31 - 1, got {seed!r}.")
    return {
        "model": body["model"],
        "training_file": body["training_file"],
        "validation_file": body.get("validation_file"),
        "suffix": suffix,
        "seed": 0 if seed is None else seed,
        "metadata": _read_metadata(body.get("metadata")),
        "method": _read_method(body),
    }


def _read_metadata(value: Any) -> dict[str, str] | None:
    if value is None:
        return None
    is_map = isinstance(value, dict) and len(value) <= MAX_METADATA
    if not is_map or not all(
        len(key) <= MAX_METADATA_KEY and isinstance(text, str) and len(text) <= MAX_METADATA_VALUE
        for key, text in value.items()
    ):
        raise invalid(
            "metadata",
            f"metadata must hold at most {MAX_METADATA} texts of at most {MAX_METADATA_VALUE} "
            f"characters under names of at most {MAX_METADATA_KEY}.",
        )
    return dict(value)


def _read_method(body: dict[str, Any]) -> dict[str, Any]:
    method = body.get("method") or {"type": "supervised"}
    kind = method.get("type") if isinstance(method, dict) else None
    if kind not in METHODS:
        raise invalid("method", f"method.type must be one of {', '.join(METHODS)}, got {kind!r}.")
    # Older clients give the hyper-parameters beside the method.
    given = {**_read_object(body, "hyperparameters")}
    given |= _read_object(_read_object(method, kind), "hyperparameters")
    names = [name for name in DEFAULTS if name != "beta" or kind == "dpo"]
    for name in given:
        if name not in names:
            raise invalid("method", f"{kind} has no hyper-parameter {name!r}.")
    chosen = {name: _read_hyper_parameter(name, given.get(name)) for name in names}
    return {"type": kind, kind: {"hyperparameters": chosen}}


def _read_object(tree: dict[str, Any], name: str) -> dict[str, Any]:
    value = tree.get(name) or {}
    if not isinstance(value, dict):
        raise invalid(name, f"{name} must be an object, got {value!r}.")
    return value


def _read_hyper_parameter(name: str, value: Any) -> Any:
    default = DEFAULTS[name]
    if value is None or value == "auto":
        return default
    allowed = int if isinstance(default, int) else int | float
    if isinstance(value, bool) or not isinstance(value, allowed) or not value > 0:
        kind = "whole number" if allowed is int else "number"
        raise invalid(name, f"{name} must be a {kind} above 0, or 'auto', got {value!r}.")
    return value
