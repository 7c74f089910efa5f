"""``environment.json``: versions, machine and code of each start of a run."""

import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from nip.errors import ResumeError
from nip.run_store.database.origin import IDENTITY_KEY
from nip.utils.files import read_text, write_atomically
from nip.utils.secrets import scrub_code, scrub_command_line, scrub_tree
from nip.utils.unicode_text import escape_controls

_PACKAGE_FOLDER = Path(__file__).parents[1]
# Recorded even if nip is not installed and its requirements are unknown.
_MAIN_LIBRARIES = ("numpy", "torch")
_MAX_DIFF_CHARACTERS = 200_000
_LONGEST_KEY = 10_000
_GIT_TIMEOUT_SECONDS = 10


def describe_start(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the current process: versions, machine, state of the code, command line, settings.

    Environment variables are not recorded, because they may contain passwords and keys; keys are
    removed from everything else.
    """
    return {
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command_line": scrub_command_line(sys.argv),
        "working_folder": scrub_code(str(Path.cwd())),
        "versions": {"python": platform.python_version(), **_package_versions()},
        "platform": {
            "system": platform.platform(),
            "machine": platform.machine(),
            "num_cpus": os.cpu_count(),
        },
        "git": describe_code(_PACKAGE_FOLDER),
        "settings": scrub_tree(settings),
    }


def append_start(path: Path, start: Mapping[str, Any], run_identity: str | None = None) -> None:
    """Append a start to ``environment.json``; create the file if missing.

    ``run_identity`` is that of a new run; None: leave it as it is. Raises ``ResumeError`` if the
    file is damaged.
    """
    content = _read(path) if os.path.lexists(path) else {"starts": []}
    if run_identity is not None:
        content = {IDENTITY_KEY: run_identity, **content}
    content["starts"].append(start)
    text = escape_controls(json.dumps(content, indent=2, ensure_ascii=False))
    write_atomically(path, f"{text}\n")


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_text(path))
        content["starts"].extend([])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ResumeError(
            f"{path} is damaged ({type(error).__name__}). Restore it from a copy, or move it away: "
            "it only describes earlier starts of the run."
        ) from error
    return dict(content)


@cache
def _package_versions() -> dict[str, str]:
    """Return the versions of nip and its installed direct dependencies."""
    requirements = [*_MAIN_LIBRARIES, *_installed_requirements("nip")]
    names = {re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0].lower() for line in requirements}
    versions = {name: _installed_version(name) for name in sorted(names)}
    return {"nip": _installed_version("nip") or "not installed"} | {
        name: version for name, version in versions.items() if version is not None
    }


def _installed_requirements(package: str) -> list[str]:
    try:
        return metadata.requires(package) or []
    except metadata.PackageNotFoundError:
        return []


def _installed_version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def describe_code(folder: Path) -> dict[str, Any] | None:
    """Describe the git repository of a Python package: commit, and diff of the working tree.

    The diff is truncated if very long, and lacks untracked files. Returns None without git or a
    commit, or if git ignores the package, as in a virtual environment.
    """
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    diff = _git(folder, "diff", "HEAD", "--no-color", "--no-ext-diff") or ""
    return {"commit": commit.strip(), "diff": _shortened_without_keys(diff)}


def _shortened_without_keys(diff: str) -> str:
    """Return the start of a diff, without the keys that are written into code in development."""
    # Of a key on the edge the first part alone may look like none, so the edge is cut off later.
    start = scrub_code(diff[: _MAX_DIFF_CHARACTERS + _LONGEST_KEY])
    if len(diff) <= _MAX_DIFF_CHARACTERS:
        return start
    start = start[:-_LONGEST_KEY]
    return f"{start}\n... {len(diff) - len(start)} more characters\n"


def _git(folder: Path, *arguments: str) -> str | None:
    """Run git in a folder and return its output; None if it fails."""
    try:
        result = subprocess.run(
            # Without the option, git may lock a repository that is only read.
            ["git", "--no-optional-locks", "-C", str(folder), *arguments],
            capture_output=True,
            check=True,
            timeout=_GIT_TIMEOUT_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.decode("utf-8", errors="replace")
