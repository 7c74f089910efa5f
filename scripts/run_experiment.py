"""Run an experiment.

    python scripts/run_experiment.py experiment=gi_demo run_id=mine rl.num_iterations=20

A Hydra application: ``--help`` tells what can be chosen, ``--cfg job`` shows the composed
parameters.
"""

import sys
from pathlib import Path

import hydra
from omegaconf import DictConfig

from nip.command_line.application import check_arguments, run_job, stopped_early
from nip.command_line.composition import CONFIG_NAME, VERSION_BASE
from nip.command_line.errors import plain_messages, show_warnings_plainly

CONFIGS = Path(__file__).resolve().parents[1] / "configs"


@hydra.main(version_base=VERSION_BASE, config_path=str(CONFIGS), config_name=CONFIG_NAME)
def job(config: DictConfig) -> None:  # noqa: ARG001
    """Run one job; the parameters are composed anew from its overrides, and checked."""
    run_job()


if __name__ == "__main__":
    show_warnings_plainly()
    with plain_messages(stopped_early):
        sys.argv[1:] = check_arguments(sys.argv[1:], CONFIGS)
        job()
