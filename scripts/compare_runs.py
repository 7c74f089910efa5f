"""Compare groups of runs that differ in their seeds only: tables, intervals, figures."""

import sys

from nip.commands.main import run_script

if __name__ == "__main__":
    sys.exit(run_script("compare"))
