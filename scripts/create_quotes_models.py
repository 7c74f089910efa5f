"""Make two tiny language models, a prover and a verifier, for the scenario quotes."""

import sys

from nip.commands.main import run_script

if __name__ == "__main__":
    sys.exit(run_script("quotes-models"))
