"""Plot metrics of several runs in one figure."""

import sys

from nip.commands.main import run_script

if __name__ == "__main__":
    sys.exit(run_script("plot"))
