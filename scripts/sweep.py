"""Run many experiments from one file; the same command continues."""

import sys

from nip.commands.main import run_script

if __name__ == "__main__":
    sys.exit(run_script("sweep"))
