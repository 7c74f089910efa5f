"""Deterministic names of files and jobs, by which they are found after a crash.

Iterations are counted from 1.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

MAX_SUFFIX = 64
MAX_METADATA_VALUE = 512
KEY_ENTRY = "nip_key"
"""Metadata entry with the key of a job."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_GROUP_LENGTH = 30
_TAG_LENGTH = 16


def job_key(**parts: Any) -> str:
    """Return the idempotency key of a job, a hash of its parameters."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True)
    return f"nip-{hashlib.sha256(text.encode()).hexdigest()[:40]}"


def tag_of(key: str) -> str:
    """Return the part of a key that is used in suffixes."""
    return key.removeprefix("nip-")[:_TAG_LENGTH]


def job_suffix(group: str, iteration: int, key: str) -> str:
    """Return the suffix for the name of the new model: ``verifier-2-8c31f0a95d27be64``."""
    readable = _UNSAFE.sub("-", group)[:_GROUP_LENGTH].replace("_", "-").lower()
    suffix = f"{readable}-{iteration}-{tag_of(key)}"
    assert len(suffix) <= MAX_SUFFIX, suffix
    return suffix


def job_metadata(key: str, **parts: str | int) -> dict[str, str]:
    """Return the metadata of a job, with at most 16 entries of at most 512 characters."""
    metadata = {KEY_ENTRY: key}
    metadata |= {f"nip_{name}": str(value)[:MAX_METADATA_VALUE] for name, value in parts.items()}
    assert len(metadata) <= 16, sorted(metadata)
    return metadata


def display_name(metadata: Mapping[str, str]) -> str | None:
    """Return ``group@iteration`` of a job from its metadata; None if they are not there."""
    group, iteration = (metadata.get(f"nip_{name}") for name in ("group", "iteration"))
    return None if group is None or iteration is None else f"{_file_safe(group)}@{iteration}"


def remote_file_name(group: str, iteration: int, dataset_sha256: str) -> str:
    """Return the file name of a dataset at the service, which includes a hash of its content."""
    return f"nip_{iteration}_{_file_safe(group)}_{dataset_sha256[:32]}.jsonl"


def dataset_path(group: str, iteration: int) -> str:
    """Return the path of a dataset relative to the folder of the run."""
    return f"fine_tuning/iteration_{iteration:04d}_{_file_safe(group)}.jsonl"


def without_missing(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def _file_safe(group: str) -> str:
    """Return a group name that is valid in file names; different groups get different names."""
    safe = _UNSAFE.sub("-", group)[:_GROUP_LENGTH]
    if safe == group:
        return safe
    return f"{safe}-{hashlib.sha256(group.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
