"""``Origin``: the run, and its parameters, to which a file belongs."""

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from nip.errors import ParameterError
from nip.parameters.tree.unnamed import FILE_NAME as PARAMETERS_FILE
from nip.parameters.tree.yaml_text import load_mapping
from nip.utils.files import read_text

IDENTITY_KEY = "run_identity"
"""Key of the identity in JSON documents and in the state of a run."""

PARAMETERS_KEY = "parameters_sha256"
"""Key of the digest of the parameters, likewise."""

ENVIRONMENT_FILE = "environment.json"


@dataclass(frozen=True)
class Origin:
    """Run and parameters to which a checkpoint or a database belongs."""

    run_identity: str | None = None
    """Random number given to a run when its folder is made, which copies of the folder keep. Empty
    for runs of earlier versions, which have none; None if unknown."""

    parameters_sha256: str | None = None
    """Digest of the stored hyper-parameters; None if unknown."""

    @classmethod
    def of_folder(cls, folder: Path) -> Self:
        """Return the origin that the files of a run folder name."""
        return cls(read_identity(folder), _parameters_digest(folder))

    @classmethod
    def from_mapping(cls, stored: Mapping[str, Any]) -> Self:
        """Return the origin that a JSON document or the state of a run names."""
        return cls(stored.get(IDENTITY_KEY, ""), stored.get(PARAMETERS_KEY))

    def to_dict(self) -> dict[str, str | None]:
        """Return the origin as JSON-compatible data."""
        return {IDENTITY_KEY: self.run_identity, PARAMETERS_KEY: self.parameters_sha256}

    def difference(self, other: "Origin") -> str | None:
        """Return how two origins that should be equal differ, as part of a sentence."""
        if _differ(self.run_identity, other.run_identity):
            return "of another run"
        if _differ(self.parameters_sha256, other.parameters_sha256):
            return f"of a run with other parameters than those in {PARAMETERS_FILE}"
        return None


def new_identity() -> str:
    """Return the identity of a new run, which no other run has."""
    return uuid.uuid4().hex


def read_identity(folder: Path) -> str | None:
    """Return the identity of the run in a folder; see ``Origin.run_identity``."""
    try:
        content = json.loads(read_text(folder / ENVIRONMENT_FILE))
        return str(content.get(IDENTITY_KEY, ""))
    except (OSError, ValueError, AttributeError, RecursionError):
        return None


def _parameters_digest(folder: Path) -> str | None:
    """Return the digest of the parameters as data: layout, order and comments do not matter."""
    try:
        return _digest_of(read_text(folder / PARAMETERS_FILE))
    except (OSError, ValueError, ParameterError):
        return None


@lru_cache(maxsize=4)  # the database and the first checkpoint ask for that of one file
def _digest_of(text: str) -> str:
    tree = load_mapping(text)
    # The stamps of versions, which begin with _, are no parameters.
    parameters = {key: value for key, value in tree.items() if not str(key).startswith("_")}
    content = json.dumps(parameters, sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()


def _differ(first: str | None, second: str | None) -> bool:
    return first is not None and second is not None and first != second
