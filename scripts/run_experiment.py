"""Run an experiment.

    python scripts/run_experiment.py experiment=gi_demo run_id=mine rl.num_iterations=20

``--help`` lists all choices; ``--cfg job`` shows the composed parameters.
"""

from nip.command_line.start import begin_command_line

if __name__ == "__main__":
    begin_command_line("Stopped before the run was started.")

import sys
from pathlib import Path

from nip.command_line.application import main
from nip.command_line.errors import show_warnings_plainly

CONFIGS = Path(__file__).resolve().parents[1] / "configs"

if __name__ == "__main__":
    show_warnings_plainly()
    main(sys.argv[1:], CONFIGS)
