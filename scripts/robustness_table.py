"""Tabulate attacks on the runs of several experiments, with means over runs and intervals."""

import sys

from nip.commands.main import run_script

if __name__ == "__main__":
    sys.exit(run_script("robustness-table"))
