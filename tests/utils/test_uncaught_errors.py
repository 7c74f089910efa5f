"""Tracebacks on the terminal."""

import subprocess
import sys

PROGRAM = """
import os, threading
from nip.command_line.start import begin_command_line
begin_command_line("Stopped.")
token = "ghp_" + "a1B2" * 9

def fail():
    raise ValueError("quoted \\x1b]0;owned\\x07 \\u202e " + token)

thread = threading.Thread(target=fail, name="worker \\x1b")
thread.start()
thread.join()
fail()
"""


def test_a_traceback_shows_control_characters_and_no_secret() -> None:
    ending = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert ending.returncode == 1
    assert ending.stderr.count("Traceback (most recent call last)") == 2
    assert ending.stderr.count(r"ValueError: quoted \x1b]0;owned\x07 \u202e [key removed]") == 2
    assert r"Exception in thread 'worker \x1b'" in ending.stderr
    assert not set(ending.stderr) & set("\x1b\x07\u202e")
