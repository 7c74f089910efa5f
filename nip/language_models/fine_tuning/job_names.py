"""Names by which a file or a job is found again after a crash.

Iterations are counted from 0 in the code, and from 1 in names that people read.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

MAX_SUFFIX = 64
MAX_METADATA_VALUE = 512
KEY_ENTRY = "nip_key"
"""The entry of the metadata of a job that holds its key."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_LENGTH_OF_GROUP = 30
_LENGTH_OF_TAG = 16


def job_key(**parts: Any) -> str:
    """Make the key of a job from all that defines it; equal parts give an equal key."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True)
    return f"nip-{hashlib.sha256(text.encode()).hexdigest()[:40]}"


def tag_of(key: str) -> str:
    """Return the piece of a key that fits into a suffix."""
    return key.removeprefix("nip-")[:_LENGTH_OF_TAG]


def job_suffix(group: str, iteration: int, key: str) -> str:
    """Make the suffix of the name of a new model: ``verifier-2-8c31f0a95d27be64``."""
    readable = _UNSAFE.sub("-", group)[:_LENGTH_OF_GROUP].replace("_", "-").lower()
    suffix = f"{readable}-{iteration + 1}-{tag_of(key)}"
    assert len(suffix) <= MAX_SUFFIX, suffix
    return suffix


def job_metadata(key: str, **parts: str | int) -> dict[str, str]:
    """Make the metadata of a job, within the limits of 16 pairs of 64 and 512 characters."""
    metadata = {KEY_ENTRY: key}
    metadata |= {f"nip_{name}": str(value)[:MAX_METADATA_VALUE] for name, value in parts.items()}
    assert len(metadata) <= 16, sorted(metadata)
    return metadata


def remote_file_name(group: str, iteration: int, dataset_sha256: str) -> str:
    """Make the name of a dataset at the service; its content decides."""
    return f"nip_{iteration + 1}_{_file_safe(group)}_{dataset_sha256[:32]}.jsonl"


def dataset_path(group: str, iteration: int) -> str:
    """Make the path of a dataset within the folder of the run."""
    return f"fine_tuning/iteration_{iteration + 1:04d}_{_file_safe(group)}.jsonl"


def without_missing(values: Mapping[str, Any]) -> dict[str, Any]:
    """Drop what is None."""
    return {name: value for name, value in values.items() if value is not None}


def _file_safe(group: str) -> str:
    """Make a group's name fit for files; different groups keep different names."""
    safe = _UNSAFE.sub("-", group)[:_LENGTH_OF_GROUP]
    if safe == group:
        return safe
    return f"{safe}-{hashlib.sha256(group.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
