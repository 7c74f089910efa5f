"""Show runs and their dialogues in the browser: a local page, which only reads."""

import sys

from nip.commands.main import run_script

if __name__ == "__main__":
    sys.exit(run_script("view"))
