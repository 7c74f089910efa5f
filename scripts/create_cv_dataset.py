"""Create a dataset of correct and buggy programs for the code validation scenario."""

import sys

from nip.commands.main import run_script

if __name__ == "__main__":
    sys.exit(run_script("dataset code-validation"))
