"""Running a function on several ranks, which are forks of one fresh interpreter.

    python tests/forked_ranks.py module:function

The interpreter imports torch once, and so starts its ranks in a fraction of a second. The function
receives the ranks; what it returns is printed as JSON, a line for each rank.
"""

import importlib
import json
import os
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

NUM_RANKS = 2


def run_on_ranks(function: str, *, timeout_s: float = 120) -> list[Any]:
    """Call a function, given as ``module:function``, on all ranks; return what each returned."""
    child = subprocess.run(
        [sys.executable, __file__, function],
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
        cwd=Path(__file__).parents[1],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert child.returncode == 0, child.stdout + child.stderr
    lines = dict(json.loads(line) for line in child.stdout.splitlines())
    return [lines[rank] for rank in range(NUM_RANKS)]


def main() -> int:
    module, _, name = sys.argv[1].partition(":")
    function = getattr(importlib.import_module(module), name)
    from torch.distributed import TCPStore

    from nip.utils.ranks import connected_ranks

    # As torchrun does, the parent keeps the store by which the ranks find each other.
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    os.environ |= {
        "WORLD_SIZE": str(NUM_RANKS),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
    }
    children = []
    for rank in range(NUM_RANKS):
        child = os.fork()
        if child == 0:
            os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
            code = 1
            try:
                with connected_ranks("cpu") as ranks:
                    result = json.dumps([rank, function(ranks)])
                os.write(1, f"{result}\n".encode())
                code = 0
            except BaseException:
                traceback.print_exc()
            os._exit(code)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    return max(map(abs, codes))


if __name__ == "__main__":
    sys.exit(main())
