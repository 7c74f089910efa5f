"""A process of the command line searches its objects for unused cycles less often."""

import gc
import subprocess
import sys

from nip.utils.garbage_collection import THRESHOLDS

PROGRAM = """
import gc
from nip.command_line.start import begin_command_line
begin_command_line("Stopped.")
print(*gc.get_threshold())

class Cyclic:
    def __init__(self):
        self.itself = self
    def __del__(self):
        print("collected")

Cyclic()
gc.collect()
kept = Cyclic()
"""


def test_it_still_collects_but_not_at_its_end() -> None:
    before = gc.get_threshold()
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert ended.stdout.splitlines() == [" ".join(map(str, THRESHOLDS)), "collected"]
    assert gc.get_threshold() == before
