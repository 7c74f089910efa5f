"""Attack the trained verifiers of runs with provers that learn to mislead them."""

import sys

from nip.commands.main import run_script

if __name__ == "__main__":
    sys.exit(run_script("attack"))
