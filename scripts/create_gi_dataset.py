"""Create a dataset of graph pairs for the graph isomorphism scenario."""

import sys

from nip.commands.main import run_script

if __name__ == "__main__":
    sys.exit(run_script("dataset graph-isomorphism"))
