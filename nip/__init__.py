"""Experiments with interactive protocols between learning agents."""

from nip.experiment_settings import ExperimentSettings
from nip.moved_modules import MOVED
from nip.parameters import HyperParameters
from nip.run import RunResult, prepare_experiment, run_experiment

__all__ = [
    "ExperimentSettings",
    "HyperParameters",
    "RunResult",
    "prepare_experiment",
    "run_experiment",
]
