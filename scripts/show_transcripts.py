"""Show the dialogues of a run, which may still be running."""

import sys

from nip.commands.main import run_script

if __name__ == "__main__":
    sys.exit(run_script("transcripts"))
