"""Analyse the dialogues of a run by questions that a language model or code answers."""

import sys

from nip.commands.main import run_script

if __name__ == "__main__":
    sys.exit(run_script("analyse"))
