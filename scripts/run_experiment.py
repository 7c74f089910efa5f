"""Run an experiment.

    python scripts/run_experiment.py experiment=gi_demo run_id=mine rl.num_iterations=20

``--help`` lists all choices; ``--cfg job`` shows the composed parameters.
"""

import sys

from nip.commands.main import run_script

if __name__ == "__main__":
    sys.exit(run_script("run"))
