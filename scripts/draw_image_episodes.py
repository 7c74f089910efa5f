"""Draw episodes of a run with images: what the agents named, and what the verifier decided."""

import sys

from nip.commands.main import run_script

if __name__ == "__main__":
    sys.exit(run_script("draw-images"))
