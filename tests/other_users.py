"""Running functions as a user without privileges, and folders that nobody can write.

The tests of containers run as root, whom permissions do not bind.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NOBODY = 65534


def as_other_user(
    function: Callable[[], Any], *, user: int = NOBODY, group: int = NOBODY, umask: int = 0o022
) -> Any:
    """Call a function in a fork that runs as another user; return its result, plain data.

    Tests that need it are skipped unless they run as root.
    """
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os._exit(_call(function, write_end, user, group, umask))
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        answer = pipe.read()
    assert os.waitpid(child, 0)[1] == 0, "the function failed; see the standard error"
    return json.loads(answer)


def _call(function: Callable[[], Any], write_end: int, user: int, group: int, umask: int) -> int:
    try:
        os.setgroups([])
        os.setgid(group)
        os.setuid(user)
        os.umask(umask)
        with os.fdopen(write_end, "w") as pipe:
            json.dump(function(), pipe)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        return 1
    return 0


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let all users read a folder and what is in it, and none but root write there."""
    open_to_others(folder)
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    for each in folders:
        each.chmod(0o555)
    try:
        yield
    finally:
        for each in folders:
            each.chmod(0o755)


def open_to_others(folder: Path) -> None:
    """Let others enter the folders above one of pytest, which are private."""
    for parent in folder.parents:
        if parent.stat().st_uid == os.geteuid() and str(parent).count("/") > 1:
            parent.chmod(parent.stat().st_mode | 0o055)
